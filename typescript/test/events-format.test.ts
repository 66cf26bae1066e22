/** The format of server-sent events, WHATWG HTML §9.2.6, with cases after the Web Platform Tests' `eventsource/format-*`. */

import { describe, expect, test } from "vitest";
import { readEvents, type ServerEvent } from "../src/client/live.js";
import { answer, answers, bytes, message } from "./event-kit.js";

const FORMAT: [name: string, text: string, events: ServerEvent[]][] = [
  [
    "a byte order mark at the start",
    "\ufeffdata:1\n\n\ufeffdata:2\n\ndata:3\n\n",
    [message("1"), message("3")],
  ],
  ["two byte order marks", "\ufeff\ufeffdata:1\n\ndata:2\n\ndata:3\n\n", [message("2"), message("3")]],
  [
    "comments",
    `data:1\r:\0\n:\r\ndata:2\n:${"x".repeat(2048)}\rdata:3\n:data:fail\r:z\ndata:4\n\n`,
    [message("1\n2\n3\n4")],
  ],
  ["an event that is not finished", "data:test1\n\nid:x\ndata:test2", [message("test1")]],
  ["an event that is finished but for its empty line", "data:1\n\ndata:2\n", [message("1")]],
  ["empty data", "data:\n\ndata\ndata\n\ndata:test\n\n", [message(""), message("\n"), message("test")]],
  ["an event's name", "event:test\ndata:x\n\ndata:x\n\n", [message("x", "test"), message("x")]],
  ["an empty name", "event: \ndata:data\n\nevent\ndata:d\n\n", [message("data"), message("d")]],
  ["a name without data", "event:a\n\ndata:x\n\n", [message("x")]],
  ["the last of two names", "event:a\nevent:b\ndata:x\n\n", [message("x", "b")]],
  [
    "what is no field",
    "data:\0\ndata:  2\rData:1\ndata\0:2\ndata:1\r\0data:4\nda-ta:3\rdata_5\ndata:3\rdata:\r\n data:32\ndata:4\n\n",
    [message("\0\n 2\n1\n3\n\n4")],
  ],
  ["one space that is left out", "data:\ttest\rdata: \ndata:test\n\n", [message("\ttest\n\ntest")]],
  ["each way to end a line", "data:test\r\ndata\ndata:test\r\n\r\n", [message("test\n\ntest")]],
  ["carriage returns alone", "data:1\r\rdata:2\r\r", [message("1"), message("2")]],
  ["an empty line of its own after CRLF", "data:1\r\n\n\r\n\ndata:2\n\r", [message("1"), message("2")]],
  [
    "only these end a line",
    "data:a\u2028b\u2029c\u0085d\ve\ff\n\n",
    [message("a\u2028b\u2029c\u0085d\ve\ff")],
  ],
  ["a colon in the data", 'data:{"a":"b: c"}\n\n', [message('{"a":"b: c"}')]],
  ["a field without a colon is the whole line", "data x:y\n\ndata\n\n", [message("")]],
  ["unicode", "data:ok…€ 😀\n\n", [message("ok…€ 😀")]],
  [
    "an id, which stays",
    "id:1\ndata:a\n\ndata:b\n\n",
    [message("a", "message", "1"), message("b", "message", "1")],
  ],
  ["an id without data", "id:7\n\ndata:b\n\n", [message("b", "message", "7")]],
  ["an id that ends", "id:1\ndata:a\n\nid\ndata:b\n\n", [message("a", "message", "1"), message("b")]],
  [
    "an id with U+0000",
    "id:1\ndata:a\n\nid:2\0\ndata:b\n\n",
    [message("a", "message", "1"), message("b", "message", "1")],
  ],
  ["nothing", "", []],
  ["empty lines", "\n\n\r\r\r\n", []],
];

describe("the format", () => {
  test.each(FORMAT)("%s, at once", async (_, text, events) => {
    expect(await answers(answer([text])).read()).toEqual(events);
  });

  test.each(FORMAT)("%s, byte by byte, with empty chunks between", async (_, text, events) => {
    const single = [...bytes(text)].flatMap((byte) => [Uint8Array.of(byte), new Uint8Array()]);
    expect(await answers(answer(single)).read()).toEqual(events);
  });

  test("bytes that are no UTF-8 become U+FFFD; a charset changes nothing", async () => {
    const response = new Response(new Uint8Array([...bytes("data:"), 0xe4, ...bytes("\n\n")]), {
      headers: { "content-type": "TEXT/Event-Stream;charset=windows-1252" },
    });
    expect(await answers(response).read()).toEqual([message("\ufffd")]);
  });

  test("an event comes as soon as its empty line has, whatever would follow", async () => {
    for (const text of ["data:x\r\r", "data:x\n\n", "data:x\r\n\r\n", "data:x\r\n\r"]) {
      const events = readEvents(answers(answer([text], { open: true })).fetch, "/e");
      expect(await events.next()).toEqual({ done: false, value: message("x") });
      await events.return();
    }
  });

  test("a mark is left out again after a reconnection, and what was unfinished is forgotten", async () => {
    const { read } = answers(
      answer(["\ufeffdata:1\n\ndata:lost\nevent:lost\r"]),
      answer(["\ufeff\n", "data:2\n\n"]),
    );
    expect(await read()).toEqual([message("1"), message("2")]);
  });

  test("a long line in small chunks takes no longer for its length", async () => {
    const chunks = Array<string>(20_000).fill("x".repeat(100));
    const [event] = await answers(answer(["data:", ...chunks, "\n\n"])).read();
    expect(event?.data).toHaveLength(2_000_000);
  });
});
