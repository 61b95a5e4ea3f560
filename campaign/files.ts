// SPDX-License-Identifier: MIT
// Which files a campaign plays: those of the old testbed's own tests that have links, where their
// collection is beside this repository, and two of ours with delays below two milliseconds.
import { existsSync } from "node:fs";
import { basename, join } from "node:path";

const corpus = join(import.meta.dirname, "../../shared/corpus/ns");
const own = join(import.meta.dirname, "experiments");

const corpusNames: readonly string[] = [
  "image_test_tests_linkdelay_nsfile",
  "testsuite_testswap_tests_ImageTests.pm_LinkDelay",
  "testsuite_testswap_tests_ImageTests.pm_LinkTestHilat",
  "testsuite_testswap_tests_ImageTests.pm_LinkTestLoBW",
  "testsuite_testswap_tests_ImageTests.pm_LinkTestNSE",
  "testsuite_testswap_tests_OldTestSuite.pm_delaylan1",
  "testsuite_testswap_tests_OldTestSuite.pm_simplex",
  "testsuite_testswap_tests_OldTestSuite.pm_ping",
  "image_test_tests_traffic_gen_nsfile",
];

export interface CampaignFile {
  readonly name: string;
  readonly path: string;
}

/** @param only part of a name; all of them when absent. @throws Error when there is none */
export function campaignFiles(only: string | undefined): readonly CampaignFile[] {
  const paths = [
    ...corpusNames.map((name) => join(corpus, `${name}.ns`)),
    join(own, "short-delays.yaml"),
    join(own, "short-lan.yaml"),
  ];
  const files = paths
    .filter((path) => existsSync(path))
    .map((path) => ({ name: shortNameOf(path), path }))
    .filter(({ name }) => only === undefined || name.includes(only));
  if (files.length === 0) throw new Error(`no file's name has '${only}' in it`);
  return files;
}

/** Without the folders that the collection has put into its names. */
function shortNameOf(path: string): string {
  return basename(path)
    .replace(/\.[a-z]+$/, "")
    .replace(/^testsuite_testswap_tests_(ImageTests|OldTestSuite)\.pm_/, "")
    .replace(/^image_test_tests_(.*)_nsfile$/, "image-test/$1");
}

export const bandwidthChanges: string = join(own, "bandwidth-changes.ns");

export const honestFile: string = join(own, "honest.yaml");
