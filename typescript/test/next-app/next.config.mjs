/**
 * The smallest app that calls an API from every place of Next.js's server; see ../server-fetch-next.test.ts. Built for
 * one run, so without what makes a build small or the next one quick: half of the time went there.
 */
export default {
  poweredByHeader: false,
  experimental: {
    turbopackFileSystemCacheForBuild: false,
    turbopackMinify: false,
    turbopackSourceMaps: false,
  },
};
