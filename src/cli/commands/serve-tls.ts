// SPDX-License-Identifier: MIT
// Which doors of `muster serve` speak TLS, with which certificate, and which ask for certificates.
// Read and checked before anything is started.
import { createSecureContext } from "node:tls";
import type { XmlRpcPlace } from "../../boss/index.ts";
import { errorText } from "../../core/text.ts";
import type { TlsFiles } from "../../edges/http/index.ts";
import { systemClock } from "../../host/clock.ts";
import { loadTlsFiles, loadTlsMaterial, PkiError } from "../../pki/index.ts";
import { exitCodes } from "../exit-codes.ts";
import { CommandError } from "../io.ts";
import type { Listen } from "./serve-listen.ts";

/** What of a listener is about TLS, whichever door it is. */
export interface TlsListen {
  /** Its name as of --listen. */
  readonly edge: string;
  /** Where it listens, as people write it. */
  readonly place: string;
  readonly tls: boolean;
  readonly clientCerts: boolean;
}

export interface TlsArguments {
  /** A directory of `muster cert`, as `muster run --tls` takes it. */
  readonly tls?: string;
  /** Whose certificate of several in the directory. */
  readonly tlsName?: string;
  /** Files that somebody else has made, in place of a directory. */
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly tlsCa?: string;
  /** Clients of the http door must show a certificate. */
  readonly httpClientCerts: boolean;
}

/** @returns undefined when no certificate was named. @throws CommandError */
export function readTls(argv: TlsArguments): TlsFiles | undefined {
  const { tls: directory, tlsName: name, tlsCert, tlsKey, tlsCa } = argv;
  const areFiles = (tlsCert ?? tlsKey ?? tlsCa) !== undefined;
  if (directory === undefined && name !== undefined) throw wrong("--tls-name belongs to --tls DIR");
  if (directory === undefined && !areFiles) return undefined;
  if (directory !== undefined && areFiles) {
    throw wrong("--tls DIR names certificate, key and authority; leave out the files, or --tls");
  }
  if (directory === undefined && (tlsCert === undefined || tlsKey === undefined)) {
    throw wrong("TLS needs --tls DIR, or both --tls-cert FILE and --tls-key FILE");
  }
  return checked(() => {
    const nowMs = systemClock.wallMs();
    if (directory !== undefined) {
      const material = loadTlsMaterial(directory, {
        nowMs,
        ...(name === undefined ? {} : { name }),
      });
      return { ...material };
    }
    const files = { certificate: tlsCert ?? "", key: tlsKey ?? "" };
    return loadTlsFiles({ ...files, ...(tlsCa === undefined ? {} : { authority: tlsCa }) }, nowMs);
  });
}

function checked(load: () => TlsFiles): TlsFiles {
  try {
    const files = load();
    const { key, certificate: cert, authority } = files;
    createSecureContext({ key, cert, ...(authority === undefined ? {} : { ca: authority }) });
    return files;
  } catch (error) {
    if (error instanceof PkiError && error.code === "FILE") {
      throw new CommandError(exitCodes.noInput, error.message);
    }
    const why = errorText(error);
    throw wrong(error instanceof PkiError ? why : `the certificate cannot be used: ${why}`);
  }
}

/** Nothing that was asked for in the name of safety is left undone. @throws CommandError */
export function checkTls(
  argv: Pick<TlsArguments, "httpClientCerts" | "tlsCa">,
  listens: readonly TlsListen[],
  tls: TlsFiles | undefined,
): void {
  const has = (edge: string): boolean => listens.some((listen) => listen.edge === edge);
  const asking = listens.filter((listen) => asksForCertificates(listen, argv));
  if (argv.httpClientCerts && (tls?.authority === undefined || !has("http"))) {
    throw wrong("--http-client-certs needs --listen http, and --tls DIR or --tls-ca");
  }
  for (const listen of listens) {
    const said = `--listen ${listen.edge}=${listen.place}`;
    if (listen.tls && tls === undefined) throw wrong(`${said},tls needs --tls DIR`);
    if (listen.clientCerts && tls?.authority === undefined) {
      throw wrong(`${said},client-certs needs --tls DIR, or --tls-ca for who has signed them`);
    }
  }
  if (argv.tlsCa !== undefined && asking.length === 0 && !has("xmlrpc")) {
    const message =
      "--tls-ca: no door asks for certificates of clients; add --http-client-certs for the http door, or --listen xmlrpc";
    throw wrong(message);
  }
}

function asksForCertificates(
  listen: Omit<TlsListen, "place">,
  { httpClientCerts }: Pick<TlsArguments, "httpClientCerts">,
): boolean {
  return listen.clientCerts || (httpClientCerts && listen.edge === "http");
}

/**
 * What a listener speaks TLS with, if it does: the http door when there is a certificate, another
 * when it was said of it, because the clients of old speak none. The authority is in it when
 * clients must show a certificate.
 */
export function tlsOf(
  listen: Omit<TlsListen, "place">,
  argv: Pick<TlsArguments, "httpClientCerts">,
  tls: TlsFiles | undefined,
): TlsFiles | undefined {
  if (tls === undefined) return undefined;
  const isAsking = asksForCertificates(listen, argv);
  if (listen.edge !== "http" && !listen.tls && !isAsking) return undefined;
  const { key, certificate, authority } = tls;
  return { key, certificate, ...(isAsking && authority !== undefined ? { authority } : {}) };
}

/**
 * Where XML-RPC is answered, if it was asked for: its users are known by their certificates alone.
 * @throws CommandError
 */
export function resolveXmlRpc(
  listens: readonly Listen[],
  tls: TlsFiles | undefined,
): XmlRpcPlace | undefined {
  const [listen, second] = listens.filter(({ edge }) => edge === "xmlrpc");
  if (listen === undefined) return undefined;
  if (second !== undefined) throw wrong("--listen xmlrpc: give it once");
  if (tls?.authority === undefined) {
    throw wrong("--listen xmlrpc needs --tls DIR, or --tls-cert, --tls-key and --tls-ca");
  }
  const identity = { ...tls, authority: tls.authority };
  const { host: address, port, networks } = listen;
  return { identity, address, port, networks };
}

function wrong(message: string): CommandError {
  return new CommandError(exitCodes.usage, message);
}
