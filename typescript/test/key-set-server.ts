/** Key pairs, tokens signed with them, and a server of this machine that answers with a key set, or with whatever. */

import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign as signWith,
} from "node:crypto";
import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import { type AddressInfo, createServer as createRawServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { CLAIMS } from "./tokens.js";

export interface Pair {
  readonly kid: string;
  readonly alg: string;
  readonly jwk: { readonly kty?: string; readonly kid: string; readonly alg: string };
  readonly publicKey: KeyObject;
  /** A token under this key; the header may be changed. */
  token(payload?: object, header?: object): string;
}

const GENERATE = {
  EdDSA: () => generateKeyPairSync("ed25519"),
  ES256: () => generateKeyPairSync("ec", { namedCurve: "P-256" }),
  RS256: () => generateKeyPairSync("rsa", { modulusLength: 2048 }),
};

export function keyPair(alg: keyof typeof GENERATE, kid: string): Pair {
  const { privateKey, publicKey } = GENERATE[alg]();
  const key = createPrivateKey(privateKey.export({ type: "pkcs8", format: "pem" }));
  return {
    kid,
    alg,
    publicKey,
    jwk: {
      ...createPublicKey(publicKey.export({ type: "spki", format: "pem" })).export({ format: "jwk" }),
      kid,
      alg,
    },
    token(payload = CLAIMS, header = {}) {
      const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString("base64url");
      const input = `${encode({ alg, typ: "at+jwt", kid, ...header })}.${encode(payload)}`;
      const options = { key, dsaEncoding: "ieee-p1363" } as const;
      const signature = signWith(alg === "EdDSA" ? null : "sha256", Buffer.from(input), options);
      return `${input}.${signature.toString("base64url")}`;
    },
  };
}

export interface Serving {
  readonly url: string;
  /** Resolves when a connection to it has closed. */
  readonly closed: Promise<void>;
  stop(): Promise<void>;
}

async function listen(server: Server, scheme = "http"): Promise<Serving> {
  const sockets = new Set<Socket>();
  let close = () => {};
  const closed = new Promise<void>((resolve) => {
    close = resolve;
  });
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => {
      sockets.delete(socket);
      close();
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `${scheme}://127.0.0.1:${(server.address() as AddressInfo).port}/api/auth/jwks`,
    closed,
    async stop() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Serves HTTP on a free port. */
export function serve(listener: RequestListener): Promise<Serving> {
  return listen(createServer(listener));
}

/** Serves whatever bytes one likes, which need not be HTTP. */
export function serveRaw(connected: (socket: Socket) => void): Promise<Serving> {
  return listen(createRawServer(connected));
}

/** Serves TLS with a certificate that nobody vouches for. */
export function serveUntrusted(connected: (socket: Socket) => void): Promise<Serving> {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const key = privateKey.export({ type: "pkcs8", format: "pem" });
  const server = createTlsServer({ key, cert: certificate(privateKey, publicKey) }, connected);
  server.on("tlsClientError", () => {});
  return listen(server, "https");
}

/** A certificate that vouches for itself, for localhost (RFC 5280 §4.1, in DER). */
function certificate(privateKey: KeyObject, publicKey: KeyObject): string {
  const der = (tag: number, ...parts: (Buffer | string)[]): Buffer => {
    const content = Buffer.concat(parts.map((part) => (typeof part === "string" ? Buffer.from(part) : part)));
    const { length } = content;
    const size = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 255];
    return Buffer.concat([Buffer.from([tag, ...size]), content]);
  };
  const sequence = (...parts: Buffer[]) => der(0x30, ...parts);
  const ecdsaWithSha256 = sequence(der(0x06, Buffer.from("2a8648ce3d040302", "hex")));
  const commonName = der(0x06, Buffer.from("550403", "hex"));
  const name = sequence(der(0x31, sequence(commonName, der(0x0c, "localhost"))));
  const validity = sequence(der(0x17, "200101000000Z"), der(0x17, "491231235959Z"));
  const spki = publicKey.export({ type: "spki", format: "der" });
  const [version, serial] = [der(0xa0, der(0x02, Buffer.from([2]))), der(0x02, Buffer.from([1]))];
  const signed = sequence(version, serial, ecdsaWithSha256, name, validity, name, spki);
  const signature = der(0x03, Buffer.from([0]), signWith("sha256", signed, privateKey));
  const text = sequence(signed, ecdsaWithSha256, signature).toString("base64");
  return `-----BEGIN CERTIFICATE-----\n${text}\n-----END CERTIFICATE-----\n`;
}
