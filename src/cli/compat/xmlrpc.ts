// SPDX-License-Identifier: MIT
// The program xmlrpc: what `ssh boss xmlrpc` starts. Carries calls from standard input to the
// daemon of the login and responses back. [EMULAB-EVENTS 2.2 SEED] Who logs in acts as the owner of
// the state directory, because nobody else can reach the daemon's socket.
import { resolveStateDirectory, type StateDirectory } from "../../boss/index.ts";
import { errorText } from "../../core/text.ts";
import { StdioError, serveStdio } from "../../edges/xmlrpc/index.ts";
import { encodeResponse, faultCodes } from "../../wire/xmlrpc/index.ts";
import { helpFor, performExit } from "./exit.ts";
import { Getopt } from "./getopt.ts";
import { askByXmlRpc } from "./xmlrpc-socket.ts";

/** As the old commands end for anything that goes wrong. */
const failed = 255;
const usage = "Usage: xmlrpc [--state DIR]    XML-RPC on standard input and output\n";

async function main(args: readonly string[]): Promise<void> {
  const state = parse(args);
  try {
    await serveStdio(process.stdin, process.stdout, (call) => answer(state, call));
  } catch (error) {
    if (!(error instanceof StdioError)) throw error;
    performExit({ kind: "exit", code: failed, stderr: `xmlrpc: ${error.message}\n` });
  }
}

function parse(args: readonly string[]): StateDirectory {
  const help = helpFor(args, usage);
  if (help !== undefined) performExit(help);
  const options = { flags: "", valued: "", longFlags: [], longValued: ["state"] };
  const getopt = new Getopt(args, options);
  const given = getopt.readAll("xmlrpc");
  if (typeof given === "string") {
    performExit({ kind: "exit", code: failed, stderr: `${given}\n${usage}` });
  }
  if (getopt.rest.length > 0) performExit({ kind: "exit", code: failed, stderr: usage });
  return resolveStateDirectory(given.get("state"), process.env);
}

/** A caller gets a response, also when there is nobody to answer. */
async function answer(state: StateDirectory, call: Uint8Array): Promise<Uint8Array> {
  try {
    return await askByXmlRpc(state, call);
  } catch (error) {
    return encodeResponse({ kind: "fault", code: faultCodes.transport, message: errorText(error) });
  }
}

await main(process.argv.slice(2));
