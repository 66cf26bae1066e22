/**
 * Every request on its way in: an address that is no UTF-8 is refused (Next.js would answer 500), and a page gets
 * its content security policy, whose nonce Next.js puts on its own scripts.
 *
 * Where the page calls the API itself, the access token lives in its memory. A script from elsewhere could read it, so
 * none runs here, and the page may talk to two places only: this app, and the API. Law: Content Security Policy Level 3.
 */
import { type NextRequest, NextResponse } from "next/server";
import { BACKEND, isProxied } from "./lib/access";

export function proxy(request: NextRequest): NextResponse {
  const { pathname } = request.nextUrl;
  if (!isDecodable(pathname)) return new NextResponse("This is no address.", { status: 400 });
  // These render nothing, and the proxy to the API has its own rules; another address below /api/ is a page, 404.
  if (["/api/auth/", `${BACKEND}/`].some((path) => pathname.startsWith(path)) || pathname === "/healthz")
    return NextResponse.next();

  const policy = policyFor(btoa(crypto.randomUUID()));
  const headers = new Headers(request.headers);
  headers.set("content-security-policy", policy);
  const response = NextResponse.next({ request: { headers } });
  response.headers.set("content-security-policy", policy);
  return response;
}

/**
 * Files that were built are served as they are. Next.js reads a body whole before it comes here, up to 10 MiB of
 * anybody's: so what has one and goes to the API does not come here, and `createProxy()` judges who sends it first.
 */
export const config = {
  matcher: [
    "/((?!_next/|backend/).*)",
    {
      source: "/backend/:path*",
      missing: [
        { type: "header", key: "content-length" },
        { type: "header", key: "transfer-encoding" },
      ],
    },
  ],
};

function policyFor(nonce: string): string {
  // `next dev` evaluates text as code and writes styles into pages; what is built does neither.
  const [evaluated, inline] =
    process.env.NODE_ENV === "development" ? [" 'unsafe-eval'", " 'unsafe-inline'"] : ["", ""];
  const api = isProxied() ? "" : apiSources();
  return [
    "default-src 'none'",
    `script-src 'self' 'nonce-${nonce}' 'strict-dynamic'${evaluated}`,
    `style-src 'self'${inline}`,
    "img-src 'self'",
    "font-src 'self'",
    `connect-src 'self'${api}`,
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ].join("; ");
}

/** A WebSocket is another scheme to the browser. */
function apiSources(): string {
  const { origin } = new URL(process.env.API_URL ?? "");
  return ` ${origin} ${origin.replace(/^http/, "ws")}`;
}

function isDecodable(pathname: string): boolean {
  try {
    decodeURIComponent(pathname);
    return true;
  } catch {
    return false;
  }
}
