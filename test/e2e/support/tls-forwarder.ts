// SPDX-License-Identifier: MIT
// A forwarder from clear to TLS, for clients that speak none.
import { readFileSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";

/** Stands for stunnel: takes connections in clear and passes them on over TLS. */
export async function tlsForwarder(port: number, files: { ca: string; pem?: string }) {
  const ca = readFileSync(files.ca, "utf8");
  const own = files.pem === undefined ? undefined : readFileSync(files.pem, "utf8");
  const certificate = own === undefined ? {} : { cert: own, key: own };
  const open = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (plain) => {
    const secure = connectTls({
      host: "127.0.0.1",
      port,
      ca,
      ...certificate,
      servername: "localhost",
    });
    plain.pipe(secure).pipe(plain);
    open.add(plain);
    for (const socket of [plain, secure]) {
      socket.on("error", () => {
        plain.destroy();
        secure.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  return {
    port: typeof address === "object" ? (address?.port ?? 0) : 0,
    close() {
      for (const socket of open) socket.destroy();
      server.close();
    },
  };
}
