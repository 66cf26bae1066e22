"use client";

import { type ReactNode, useEffect, useRef } from "react";

/**
 * A page's heading. It takes the focus when its page appears, so that a keyboard starts at the top and a screen
 * reader says where it is; unless the person has begun somewhere already.
 */
export function Heading({ children }: { readonly children: ReactNode }) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    if (document.activeElement === document.body) heading.current?.focus();
  }, []);
  return (
    <h1 ref={heading} tabIndex={-1}>
      {children}
    </h1>
  );
}
