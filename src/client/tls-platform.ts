// SPDX-License-Identifier: MIT
// `musterd/client/tls`: the platform of programs in Node that show a certificate of their own, or
// trust an authority that Node does not know. Node's WebSocket can do neither, so this one is the
// package `ws`; in a browser certificates are the browser's business.
//
//   const platform = tlsPlatform({ ca, certificate, key });
//   await using session = await connect("https://ops:8470", { platform });
import { WebSocket } from "ws";
import { type ClientPlatform, platform, type WebSocketLike } from "./platform.ts";

/** PEM texts. */
export interface ClientTls {
  /** Who has signed the server's certificate, when Node does not know him. */
  readonly ca?: string | undefined;
  /** What this client shows, and its key; both may be in one text. */
  readonly certificate?: string | undefined;
  readonly key?: string | undefined;
}

export function tlsPlatform({ ca, certificate, key = certificate }: ClientTls): ClientPlatform {
  const options = {
    ...(ca === undefined ? {} : { ca }),
    ...(certificate === undefined ? {} : { cert: certificate, key }),
  };
  return {
    ...platform,
    openSocket: (url, protocols) => new WebSocket(url, [...protocols], options) as WebSocketLike,
  };
}
