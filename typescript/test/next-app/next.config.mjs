/** The smallest app that calls an API from every place of Next.js's server; see ../server-fetch-next.test.ts. */
export default { poweredByHeader: false };
