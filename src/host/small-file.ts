// SPDX-License-Identifier: MIT
// A small file, for the layers that reach the engine through here.
export { openWithoutWaiting, readPatiently, readSmallFile } from "../engine/small-file.ts";
