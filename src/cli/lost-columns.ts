// SPDX-License-Identifier: MIT
// What an NS file says of its nodes and links that the experiment as data has no place for. Found
// by comparing its table rows with those of the NS file that says what the data say: whatever
// differs there would be in no other file either. Pure.
import {
  type Diagnostic,
  type Experiment,
  type SourcePosition,
  type Tables,
  tableRows,
} from "../experiment/index.ts";

/** Columns that say what the data say, in other words or with other figures. */
const sameElsewhere: Readonly<Record<string, ReadonlySet<string>>> = {
  virt_nodes: new Set([
    "vname",
    "type",
    "ips",
    "osname",
    "rpms",
    "startupcmd",
    "failureaction",
    "routertype",
  ]),
  virt_lans: new Set([
    ...["vname", "member", "vnode", "vport", "vindex", "mask", "ip", "cost", "mustdelay"],
    ...["delay", "rdelay", "bandwidth", "rbandwidth", "lossrate", "rlossrate"],
    ...["q_limit", "q_maxthresh", "q_minthresh", "q_weight", "q_linterm", "q_qinbytes"],
    ...["q_meanpsize", "q_red", "q_gentle"],
    ...["traced", "trace_type", "trace_expr", "trace_snaplen", "trace_db", "bridge_vname"],
  ]),
  virt_lan_lans: new Set(["vname"]),
  experiments: new Set(["sync_server", "dpdb"]),
};

/** What people know these as; others are told by the name of their column. */
const words: Readonly<Record<string, string>> = {
  cmd_line: "the command line of its kernel",
  role: "that it is a bridge",
  nobwshaping: "that its bandwidth is not shaped",
  failureaction: "what its failure means",
};

interface Lost {
  readonly at: SourcePosition;
  readonly what: string;
}

/** @returns an error for each, at the node or link or else at the top of the file */
export function findLostColumns(
  experiment: Experiment,
  rows: Tables,
  file: string,
): readonly Diagnostic[] {
  const said = tableRows(experiment).rows;
  const top = { file, line: 1, column: 1 };
  const places = new Map<string, SourcePosition>(
    [...experiment.nodes, ...experiment.links].map(({ name, at }) => [name, at]),
  );
  const found = Object.entries(sameElsewhere).flatMap(([table, same]) => {
    const others = new Map((said[table] ?? []).map((row) => [keyOf(row), row]));
    return (rows[table] ?? []).flatMap((row): Lost[] => {
      const other = others.get(keyOf(row));
      if (other === undefined) return [];
      const name = row["vname"] ?? "the experiment";
      const columns = Object.keys({ ...other, ...row });
      return columns
        .filter((column) => !same.has(column) && row[column] !== other[column])
        .map((column) => ({
          at: places.get(name) ?? top,
          what: `of ${name}: ${words[column] ?? `${column} ${row[column] ?? "left out"}`}`,
        }));
    });
  });
  // Each end of a link has a row that says it.
  const once = new Map(found.map((lost) => [lost.what, lost]));
  return [...once.values()].map(({ at, what }) => {
    const message = `a YAML file cannot say this ${what}`;
    const hint = "Add --lossy to convert the rest.";
    return { severity: "error", code: "YAML_CANNOT_SAY", message, at, hint };
  });
}

function keyOf(row: Tables[string][number]): string {
  return `${row["vname"]} ${row["member"] ?? ""}`;
}
