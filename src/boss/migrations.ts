// SPDX-License-Identifier: MIT
// The layout of the experiments database as an ordered list of steps. A step that was released is
// never changed: what comes later is a step of its own. docs/reference/database.md describes the
// result.

/** Columns of the virtual tables in step 1. [EMULAB-NS 13] */
const virtualTables: readonly (readonly [table: string, columns: string])[] = [
  [
    "virt_nodes",
    "vname type ips osname cmd_line rpms startupcmd tarfiles failureaction routertype fixed " +
      "inner_elab_role role plab_role plab_plcnet sharing_mode loadlist numeric_id parent_osname",
  ],
  ["virt_node_desires", "vname desire weight"],
  ["virt_node_startloc", "vname building floor loc_x loc_y orientation"],
  ["virt_lan_lans", "vname failureaction"],
  ["virt_lan_settings", "vname capkey capval"],
  [
    "virt_lans",
    "vname member mask delay rdelay bandwidth rbandwidth backfill rbackfill lossrate rlossrate " +
      "cost widearea emulated uselinkdelay nobwshaping encap_style q_limit q_maxthresh " +
      "q_minthresh q_weight q_linterm q_qinbytes q_bytes q_meanpsize q_wait q_setbit q_droptail " +
      "q_red q_gentle trivial_ok protocol is_accesspoint vnode vport ip mustdelay est_bandwidth " +
      "rest_bandwidth traced trace_type trace_expr trace_snaplen trace_endnode trace_db " +
      "fixed_iface layer implemented_by_path implemented_by_link bridge_vname ofenabled " +
      "ofcontroller vindex",
  ],
  ["virt_routes", "vname src dst nexthop dst_type dst_mask"],
  [
    "virt_trafgens",
    "vnode vname role proto port ip target_vnode target_vname target_port target_ip generator",
  ],
  ["virt_agents", "vnode vname objecttype"],
  ["virt_vtypes", "name weight members"],
  ["virt_programs", "vnode vname command dir timeout expected_exit_code"],
  ["event_groups", "group_name agent_name"],
  [
    "eventlist",
    "time vnode vname objecttype eventtype triggertype arguments atstring parent", // one row an event
  ],
  ["virt_firewalls", "fwname type style"],
  ["firewall_rules", "fwname ruleno rule"],
  ["virt_tiptunnels", "host vnode"],
  ["virt_paths", "pathname segmentname segmentindex layer"],
  // The columns of the old `experiments` row; ours of that name holds more than a file says.
  [
    "virt_experiments",
    "mem_usage cpu_usage forcelinkdelays uselinkdelays usewatunnels uselatestwadata " +
      "wa_delay_solverweight wa_bw_solverweight wa_plr_solverweight encap_style allowfixnode " +
      "multiplex_factor sync_server use_ipassign ipassign_args jail_osname delay_osname " +
      "delay_capacity security_level dpdb",
  ],
  ["virt_user_environment", "name value"],
  ["virt_parameters", "name value description"],
  ["external_sourcefiles", "pathname"],
  ["experiment_blobs", "path action"],
  ["nseconfigs", "vname nseconfig"],
  // Rows of tables that have none of their own here: everything is in `other`.
  ["virt_other", "table_name"],
];

const people = `
CREATE TABLE users (
  name TEXT PRIMARY KEY,
  unix_uid INTEGER NOT NULL
) STRICT;
CREATE TABLE projects (
  pid TEXT PRIMARY KEY,
  created_ms INTEGER NOT NULL
) STRICT;
CREATE TABLE memberships (
  pid TEXT NOT NULL REFERENCES projects (pid) ON DELETE CASCADE,
  user TEXT NOT NULL REFERENCES users (name) ON DELETE CASCADE,
  trust TEXT NOT NULL CHECK (trust IN ('user', 'trusted', 'leader')),
  PRIMARY KEY (pid, user)
) STRICT;`;

const experiments = `
CREATE TABLE experiments (
  exptidx INTEGER PRIMARY KEY AUTOINCREMENT,
  pid TEXT NOT NULL REFERENCES projects (pid),
  eid TEXT NOT NULL,
  state TEXT NOT NULL,
  since_ms INTEGER NOT NULL,
  creator TEXT NOT NULL REFERENCES users (name),
  swapper TEXT REFERENCES users (name),
  created_ms INTEGER NOT NULL,
  file TEXT NOT NULL,
  source TEXT NOT NULL,
  presets TEXT NOT NULL,
  UNIQUE (pid, eid)
) STRICT;
CREATE TABLE history (
  entry INTEGER PRIMARY KEY AUTOINCREMENT,
  exptidx INTEGER NOT NULL REFERENCES experiments (exptidx) ON DELETE CASCADE,
  at_ms INTEGER NOT NULL,
  from_state TEXT,
  to_state TEXT NOT NULL,
  user TEXT NOT NULL,
  note TEXT NOT NULL
) STRICT;
CREATE INDEX history_of ON history (exptidx, entry);`;

function virtualTable([table, columns]: readonly [string, string]): string {
  const typed = columns.split(" ").map((column) => `"${column}" TEXT, `);
  return `CREATE TABLE "${table}" (
    exptidx INTEGER NOT NULL REFERENCES experiments (exptidx) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    ${typed.join("")} other TEXT,
    PRIMARY KEY (exptidx, position)
  ) STRICT, WITHOUT ROWID;`;
}

const runs = `
CREATE TABLE runs (
  exptidx INTEGER NOT NULL REFERENCES experiments (exptidx) ON DELETE CASCADE,
  number INTEGER NOT NULL,
  directory TEXT NOT NULL,
  run_id TEXT NOT NULL,
  seed INTEGER NOT NULL,
  started_ms INTEGER NOT NULL,
  ended_ms INTEGER,
  outcome TEXT CHECK (outcome IN ('passed', 'failed')),
  ended_by TEXT,
  error_code TEXT,
  error_message TEXT,
  PRIMARY KEY (exptidx, number)
) STRICT, WITHOUT ROWID;`;

/** Nodes that an experiment has or had, and when its timelines began. [EMULAB-EVENTS 2.3, 7.8] */
const nodes = `
CREATE TABLE nodes (
  node_id TEXT PRIMARY KEY,
  exptidx INTEGER NOT NULL REFERENCES experiments (exptidx) ON DELETE CASCADE,
  vname TEXT NOT NULL,
  address TEXT NOT NULL,
  state TEXT NOT NULL,
  since_ms INTEGER NOT NULL,
  op_mode TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX nodes_of ON nodes (exptidx, vname);
CREATE TABLE event_starts (
  exptidx INTEGER NOT NULL REFERENCES experiments (exptidx) ON DELETE CASCADE,
  timeline TEXT NOT NULL,
  start_seconds REAL NOT NULL,
  PRIMARY KEY (exptidx, timeline)
) STRICT, WITHOUT ROWID;`;

/** The test of links, and what users have set of links beyond the file. [LINKTEST 10] */
const linktests = `
ALTER TABLE experiments ADD COLUMN linktest_level INTEGER NOT NULL DEFAULT 0
  CHECK (linktest_level BETWEEN 0 AND 4);
ALTER TABLE experiments ADD COLUMN linktest_pid INTEGER;
ALTER TABLE experiments ADD COLUMN linktest_started TEXT;
CREATE TABLE link_settings (
  exptidx INTEGER NOT NULL REFERENCES experiments (exptidx) ON DELETE CASCADE,
  link TEXT NOT NULL,
  node TEXT NOT NULL,
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (exptidx, link, node, key)
) STRICT, WITHOUT ROWID;`;

/** Step n makes layout n of layout n - 1. */
export const migrations: readonly string[] = [
  [people, experiments, ...virtualTables.map(virtualTable)].join("\n"),
  runs,
  nodes,
  linktests,
];

/** Names of all virtual tables. */
export const virtualTableNames: readonly string[] = virtualTables.map(([table]) => table);
