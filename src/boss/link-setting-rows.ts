// SPDX-License-Identifier: MIT
// What users have set of links for good, beyond what the file says: kept until the experiment is
// defined anew. Stores and finds; what a setting means, and which one it replaces (K1), is in
// link-overlay.ts.
import type { DatabaseSync } from "node:sqlite";
import { type LinkSetting, replaces } from "./link-overlay.ts";

export class LinkSettingRows {
  readonly #database: DatabaseSync;

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  /** By link, the whole of it before its nodes. */
  of(exptidx: number): readonly LinkSetting[] {
    const sql = "SELECT * FROM link_settings WHERE exptidx = ? ORDER BY link, node, key";
    return this.#database
      .prepare(sql)
      .all(exptidx)
      .map(({ link, node, key, value }) => {
        return { link: String(link), node: String(node), key: String(key), value: String(value) };
      });
  }

  /** K1. */
  put(exptidx: number, setting: LinkSetting): void {
    const gone =
      "DELETE FROM link_settings WHERE exptidx = ? AND link = ? AND node = ? AND key = ?";
    for (const older of this.of(exptidx).filter((one) => replaces(setting, one))) {
      this.#database.prepare(gone).run(exptidx, older.link, older.node, older.key);
    }
    const { link, node, key, value } = setting;
    const sql = "INSERT INTO link_settings VALUES (?, ?, ?, ?, ?)";
    this.#database.prepare(sql).run(exptidx, link, node, key, value);
  }

  replace(exptidx: number, settings: readonly LinkSetting[]): void {
    this.#database.prepare("DELETE FROM link_settings WHERE exptidx = ?").run(exptidx);
    for (const setting of settings) this.put(exptidx, setting);
  }
}
