// SPDX-License-Identifier: MIT
// Goal: the simulator of clusters finds mistakes. Method: known mistakes are planted in a copy of
// the shipped files, one at a time; each must make a seed fail.
import { readMutants } from "../../tools/mutants.ts";
import { describePlanted } from "./planted.ts";

describePlanted(
  readMutants()
    .filter(({ by }) => by === "cluster")
    .map(({ name }) => name),
);
