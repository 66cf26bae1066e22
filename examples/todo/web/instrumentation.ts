/**
 * Runs once, before the first request. Wrong configuration ends the process here, with one sentence: a throw would
 * leave Next.js running and answering 500.
 */
export async function register(): Promise<void> {
  // In a block: after a `return` webpack, which builds in Next.js 15, would take the imports into the edge runtime, too.
  if (process.env.NEXT_RUNTIME === "nodejs") {
    const { assertSettings } = await import("./lib/settings");
    const { assertBridge } = await import("jwt-auth-bridge/better-auth");
    assertSettings();
    await assertBridge(import("./lib/auth"));
  }
}
