// SPDX-License-Identifier: MIT
// One party in a process of its own, by the client library: meets the others, together, as often as
// it is told, and prints of each meeting when it went on the clock that all processes of a machine
// share, and how far off it says that it was.
//
//   party.ts URL SCOPE BARRIER PARTIES ROUNDS
import { connect } from "../../../src/client/index.ts";

const [url = "", scope = "", barrier = "", parties = "", rounds = ""] = process.argv.slice(2);
await using session = await connect(url, { scope });
for (let round = 1; round <= Number(rounds); round += 1) {
  const meeting = session.stateBarrier(`${barrier}-${round}`);
  const { go, value } = await meeting.signalAndWait(Number(parties), { together: true });
  const atUs = Number(process.hrtime.bigint() / 1_000n);
  process.stdout.write(`${JSON.stringify({ round, value, atUs, ...go })}\n`);
}
