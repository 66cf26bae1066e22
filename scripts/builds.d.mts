/** Types of builds.mjs, for the tests that are written in TypeScript. */
export const BUILD_SECRET: string;
