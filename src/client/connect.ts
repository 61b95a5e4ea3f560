// SPDX-License-Identifier: MIT
// The client library of Muster: sessions with a server, for browsers and Node.
//
//   await using session = await connect("http://127.0.0.1:8470", { token, scope: "proj/exp" });
//   const start = session.countBarrier("start");
//   await start.init(3);
//   const { error } = await start.wait({ name: "worker-1", timeoutMs: 60_000 });
import { checkConnect } from "./check-arguments.ts";
import type { ConnectOptions } from "./connect-options.ts";
import { MusterError } from "./muster-error.ts";
import { platform as standardPlatform } from "./platform.ts";
import { Session } from "./session.ts";
import { sessionTime } from "./session-time.ts";

/**
 * Opens a session.
 * @param url of the server: `http://HOST:PORT`, also https, ws and wss; `HOST:PORT` is http.
 * Several are servers of one log: the session goes on at the next when the connection to one is
 * lost.
 * @throws MusterError; the signal's reason when it was aborted.
 */
export async function connect(
  url: string | readonly string[],
  options: ConnectOptions = {},
): Promise<Session> {
  const { signal, connectTimeoutMs = sessionTime.connectMs } = options;
  const { platform = standardPlatform } = options;
  checkConnect(options);
  signal?.throwIfAborted();
  const session = new Session(sessionUrls(url), { ...options, platform });
  let cancel: () => void = () => undefined;
  const late = new Promise<never>((_, reject) => {
    cancel = platform.after(connectTimeoutMs, () => {
      const { what, advice } = ends[session.answeredBy ?? "nobody"];
      const why = session.lastFailure === undefined ? "" : ` (${session.lastFailure})`;
      const where = `at ${[url].flat().join(", ")} within ${connectTimeoutMs / 1000} s${why}`;
      reject(new MusterError("unavailable", `${what} ${where}; ${advice}`));
    });
  });
  try {
    await Promise.race([session.ready, late]);
    return session;
  } catch (error) {
    session.abandon();
    throw error;
  } finally {
    cancel();
  }
}

/** What it has come to when there is no session in time, by who has answered last. */
const ends = {
  nobody: { what: "no server answers", advice: "start one with: muster serve --listen http" },
  another: {
    what: "no muster serve answers",
    advice: "give the URL that muster serve prints for its http door",
  },
  "one-that-refuses": {
    what: "no server took anybody",
    advice: "go to another server, or try again later",
  },
} as const;

/** @throws MusterError (invalid) */
function sessionUrls(url: string | readonly string[]): readonly string[] {
  const given = [url].flat();
  // JavaScript is not checked: a variable that is not set comes as undefined.
  const isNamed = given.length > 0 && given.every((one) => typeof one === "string" && one !== "");
  if (isNamed) return given.map(sessionUrl);
  const message = `name a server: connect(URL), or connect([URL, URL]), not connect(${JSON.stringify(url)})`;
  throw new MusterError("invalid", message);
}

/** Where the server's sessions are. @throws MusterError (invalid) */
export function sessionUrl(url: string): string {
  const wrong = new MusterError(
    "invalid",
    `${url} is no address of a server; give HOST:PORT or a URL such as http://127.0.0.1:8470`,
  );
  const full = /^[a-z]+:\/\//i.test(url) ? url : `http://${url}`;
  if (!URL.canParse(full)) throw wrong;
  const parsed = new URL(full);
  if (!/^(http|ws)s?:$/.test(parsed.protocol)) throw wrong;
  parsed.protocol = parsed.protocol.replace(/^http/, "ws");
  if (parsed.pathname === "/") parsed.pathname = "/v1/session";
  parsed.hash = ""; // A WebSocket takes none.
  return parsed.href;
}
