/**
 * What the proxy answers by itself: one class, one shape, the same safety fields as on everything it passes on.
 *
 * The shape is that of `access-token.md` "HTTP answers": `{"detail", "error"}`, never stored. Nothing that the
 * caller sent stands in it.
 */

/** An answer of the proxy's own; `code` is its `error`, `detail` says what happened and what to do. */
export class Refused extends Error {
  override readonly name = "Refused";
  readonly status: number;
  readonly code: string;
  readonly fields: Readonly<Record<string, string>>;

  constructor(status: number, code: string, detail: string, fields: Readonly<Record<string, string>> = {}) {
    super(detail);
    this.status = status;
    this.code = code;
    this.fields = fields;
  }
}

/**
 * On every answer, because the API's bytes appear under the app's own origin:
 *
 * - `no-store`: what one user may see is kept by no cache, neither a shared one nor the browser's for the next user.
 * - `nosniff`, the sandbox and `frame-ancestors`: should it be opened or framed all the same, nothing in it runs.
 * - `Cross-Origin-Resource-Policy`: no other site can load it, in browsers without Sec-Fetch-Site either.
 */
export const SAFETY: Readonly<Record<string, string>> = {
  "cache-control": "no-store",
  "x-content-type-options": "nosniff",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
  "cross-origin-resource-policy": "same-origin",
};

export function toResponse({ status, code, message, fields }: Refused): Response {
  const headers = { ...SAFETY, ...fields, "content-type": "application/json" };
  return new Response(JSON.stringify({ detail: message, error: code }), { status, headers });
}
