import { Who } from "../lib/who";

export default function Layout({ children }) {
  return (
    <html lang="en">
      <body>
        <Who path="/{user_id}/layout" />
        {children}
      </body>
    </html>
  );
}
