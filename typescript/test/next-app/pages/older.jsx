import { version } from "react";
import { Status } from "../lib/status";

/** The pages router, which runs on the React that the app has installed; the app router brings its own. */
export default function Page() {
  return (
    <>
      <Status />
      <p>react:{version};</p>
    </>
  );
}

export const getServerSideProps = () => ({ props: {} });
