// SPDX-License-Identifier: MIT
// Names the options of `muster serve`. None has a default here: what was not said is told from what
// was, so that a configuration file can say it (serve-config.ts).
import { type Command, InvalidArgumentError, Option } from "commander";
import { shardsMax } from "../../core/shard.ts";
import { collect } from "../collect.ts";
import { endLingering } from "../end-lingering.ts";
import { processIo } from "../io.ts";
import type { ServeArguments } from "./serve.ts";
import { gnunetPeersMax } from "./serve-fields.ts";

type SetExit = (code: number) => void;

export function addServe(
  program: Command,
  setExit: SetExit,
  stateOption: readonly [string, string],
): void {
  const serve = program
    .command("serve")
    .description("keep experiments, and open doors to a core, in the foreground")
    .option("--config <file>", "read the options from a YAML file (docs/reference/serve.md)")
    .option(
      "--check-config",
      "say what is wrong with file and options, or what would be done",
      false,
    )
    .option(...stateOption)
    .option("--name <name>", "what this server calls itself (default: muster)")
    .addOption(
      new Option(
        "--role <role>",
        "boss: experiments and boss's own bus; ops: users' events",
      ).choices(["boss", "ops"]),
    )
    .option("--log <log>", "log of the core: memory (default), sqlite:FILE or nats://HOST:PORT")
    .option(
      "--shards <n>",
      "logs on NATS that the scopes are spread over, the same for all servers (default: 1)",
      shardCount,
    )
    .option("--nats-creds <file>", "credentials of the account of NATS that has the log")
    .option("--limit <name=value>", "raise or lower a limit (docs/reference/limits.md)", collect)
    .option("--drain <s>", "seconds that waits have left after SIGTERM (default: 0)", wholeSeconds)
    .option(
      "--keep-days <d>",
      "results of runs written longer ago go, at the start and hourly",
      amount,
    )
    .option("--keep-bytes <n>", "the oldest go until all are at most this large", amount)
    .option("--stop", "swap everything out and end the daemon that runs", false);
  addDoors(serve);
  addControllers(serve);
  addOps(serve);
  serve.action(async (options: ServeArguments) => {
    // Who ends a daemon does without all that serves, unless a file has to be read first.
    if (options.stop && options.config === undefined) {
      const { stopCommand } = await import("./stop-daemon.ts");
      return setExit(await stopCommand(options.state, processIo));
    }
    const { serveCommand } = await import("./serve.ts");
    const status = await serveCommand(options, processIo);
    setExit(status);
    endLingering(processIo, () => status || Number(process.exitCode ?? 0));
  });
}

function addDoors(serve: Command): void {
  serve
    .option(
      "--listen <edge=addr>",
      "open a door: http, http=127.0.0.1:8470, syncd=127.0.0.1:16534,scope=NAME, xmlrpc, events, " +
        "boss-events, testground, gnunet, gnunet-barrier, controllers; again for more",
      collect,
    )
    .option(
      "--gnunet-peers <n>",
      "peers of a GNUnet controller besides those that drivers register (default: 0)",
      gnunetPeers,
    )
    .option(
      "--allow <edge=networks>",
      "who may come to doors of a kind: syncd=10.0.0.0/8,2001:db8::/32; again",
      collect,
    )
    .option(
      "--redirect-events <from=to>",
      "pass connections to an old address of the event server on, 192.0.2.1:2917=ops:2917; again",
      collect,
    )
    .option("--tls <dir>", "directory of muster cert: TLS of the doors")
    .option("--tls-name <name>", "whose certificate of several in that directory")
    .option("--tls-cert <file>", "a certificate that somebody else has made (PEM)")
    .option("--tls-key <file>", "its key (PEM)")
    .option("--tls-ca <file>", "who has signed the certificates of clients (PEM)")
    .option("--http-client-certs", "clients of the http door must show one, too")
    .option("--origin <url>", "a page of this origin may use the http door; again", collect);
}

function addControllers(serve: Command): void {
  serve
    .option(
      "--controller <name>",
      "what this controller is called, the same for all servers of its log (default: --name)",
    )
    .option("--controllers-key <file>", "key of those below (default: of this state directory)")
    .option("--parent <name@addr>", "join below the controller there (docs/reference/gnunet.md)")
    .option("--parent-key <file>", "its controllers.key (default: of this state directory)")
    .option("--parent-ca <file>", "who has signed its certificate: the link speaks TLS (PEM)")
    .option("--parent-cert <file>", "a certificate to show it, with its key (PEM)")
    .option("--below <user@host:port>", "start a controller there that joins below; again", collect)
    .option("--below-shell <template>", "how to run commands there, such as: ssh -p %p %u@%h")
    .option("--below-command <words>", "what to run there: muster serve ...; %h is the host")
    .option("--below-at <addr>", "where they reach this one (default: the first --listen)");
}

function addOps(serve: Command): void {
  serve
    .addOption(
      new Option(
        "--scheduler <where>",
        "schedulers of events are processes, or in the daemon (default: process)",
      ).choices(["process", "inside"]),
    )
    .option("--rundir <dir>", "pid files of schedulers (for root: /var/run/emulab/evsched)")
    .option("--ops-dir <dir>", "their keys and logs, where users can reach them")
    .option("--ops <host>", "machine where eventsys_control starts schedulers; localhost: here")
    .option("--ops-shell <template>", "how to run commands there, such as: ssh -p %p %u@%h")
    .option("--ops-user <user>", "who one is there (default: root)")
    .option("--ops-port <port>", "what %p is (default: 22)")
    .option("--ops-proxy <path>", "eventsys.proxy there (default: of this installation)");
}

function shardCount(text: string): number {
  if (/^[1-9]\d?$/.test(text) && Number(text) <= shardsMax) return Number(text);
  throw new InvalidArgumentError(`It must be a whole number from 1 to ${shardsMax}.`);
}

function gnunetPeers(text: string): number {
  if (/^\d{1,7}$/.test(text) && Number(text) <= gnunetPeersMax) return Number(text);
  throw new InvalidArgumentError(`It must be a whole number from 0 to ${gnunetPeersMax}.`);
}

/** As of muster prune. */
export function amount(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("It must be a whole number from 0 on, of at most 15 digits.");
}

function wholeSeconds(text: string): number {
  if (/^\d{1,5}$/.test(text) && Number(text) <= 86_400) return Number(text);
  throw new InvalidArgumentError("It must be a whole number of seconds from 0 to 86400.");
}
