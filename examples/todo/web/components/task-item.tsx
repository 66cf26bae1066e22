"use client";

import { type FormEvent, useEffect, useRef, useState } from "react";
import type { Task } from "../lib/tasks";

type Props = {
  readonly task: Task;
  /** Each answers whether it worked. */
  readonly onComplete: (completed: boolean) => Promise<boolean>;
  readonly onRename: (title: string) => Promise<boolean>;
  readonly onDelete: () => Promise<boolean>;
};

/** One task: tick it off, rename it, delete it. The focus stays on the task when its form opens and closes. */
export function TaskItem({ task, onComplete, onRename, onDelete }: Props) {
  const [renaming, setRenaming] = useState(false);
  const field = useRef<HTMLInputElement>(null);
  const opener = useRef<HTMLButtonElement>(null);
  const wasRenaming = useRef(false);

  useEffect(() => {
    if (renaming) field.current?.select();
    else if (wasRenaming.current) opener.current?.focus();
    wasRenaming.current = renaming;
  }, [renaming]);

  async function rename(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const title = field.current?.value.trim() ?? "";
    if (title === "" || title === task.title || (await onRename(title))) setRenaming(false);
  }

  if (renaming) {
    return (
      <li>
        <form onSubmit={rename} onKeyDown={(event) => event.key === "Escape" && setRenaming(false)}>
          <label htmlFor={`title-${task.id}`}>New title</label>
          <input
            ref={field}
            id={`title-${task.id}`}
            defaultValue={task.title}
            maxLength={200}
            autoComplete="off"
          />
          <button type="submit">Save</button>
          <button type="button" onClick={() => setRenaming(false)}>
            Cancel
          </button>
        </form>
      </li>
    );
  }
  return (
    <li>
      <label>
        <input
          type="checkbox"
          checked={task.completed}
          onChange={(event) => onComplete(event.currentTarget.checked)}
        />
        {task.title}
      </label>
      <button
        ref={opener}
        type="button"
        aria-label={`Rename ${task.title}`}
        onClick={() => setRenaming(true)}
      >
        Rename
      </button>
      <button type="button" aria-label={`Delete ${task.title}`} onClick={onDelete}>
        Delete
      </button>
    </li>
  );
}
