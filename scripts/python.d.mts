/** Type of python.mjs, for the tests that are written in TypeScript: the virtual environment's Python. */
export const python: string;
