// SPDX-License-Identifier: MIT
// Takes packets where the kernel shows them, in a network namespace of the run: a few lines of perl
// with a packet socket for each device, which the rights over that namespace are enough for. The
// kernel stamps each packet, filters, and counts what it had no room for. tcpdump does not do: it
// sets its groups, which an ordinary user may not even as root of a name space of theirs.
//
//   P1. Everything that was taken before a mark is handed on before the mark is answered.
//   P2. Packets of several devices come in the order of their stamps, as long as they come slower
//       than they are read.
import type { ChildProcess } from "node:child_process";
import { type NamespaceCommands, type NetNamespace, NetworkError } from "../link-backend.ts";
import type { TraceWay } from "../link-tracer.ts";
import type { FilterInstruction } from "../packet-filter.ts";
import { readTapFrames, type TapFrame } from "./tap-frames.ts";

/** Where packets are taken: of the device, either those that leave it or those that come in. */
export interface TapSource {
  readonly way: TraceWay;
  readonly device: string;
  readonly side: "leaving" | "coming";
}

export interface PacketTapOptions {
  readonly commands: NamespaceCommands;
  readonly namespace: NetNamespace;
  readonly sources: readonly TapSource[];
  /** Most that is handed on of a packet, of layer 2. */
  readonly snapBytes: number;
  readonly filter: readonly FilterInstruction[];
  readonly onPacket: (packet: Extract<TapFrame, { kind: "packet" }>) => void;
}

const ways: readonly TraceWay[] = ["sent", "received"];
const errorCharsMax = 2_000;

export class PacketTap {
  /** Why it takes nothing any more, unless it was told to end. Never rejects. */
  readonly failed: Promise<string>;
  readonly #child: ChildProcess;
  readonly #onPacket: PacketTapOptions["onPacket"];
  readonly #marks: ((drops: number | undefined) => void)[] = [];
  #rest: Uint8Array = new Uint8Array(0);
  #said = "";

  private constructor({ commands, namespace, sources, ...options }: PacketTapOptions) {
    const { snapBytes, filter, onPacket } = options;
    this.#onPacket = onPacket;
    const words = sources.map(
      ({ way, device, side }) => `${ways.indexOf(way)},${device},${side === "leaving" ? 1 : 0}`,
    );
    const program = filter.map((instruction) => instruction.join(" ")).join(" ");
    const argv = ["perl", "-e", takePackets, String(snapBytes), program, ...words];
    const child = commands.spawn(namespace, argv);
    this.#child = child;
    child.stdin?.on("error", () => undefined); // It has ended, and says why.
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#said = (this.#said + text).slice(-errorCharsMax);
    });
    child.stdout?.on("data", (chunk: Buffer) => this.#take(chunk));
    this.failed = new Promise((resolve) => {
      child.once("error", ({ message }) => resolve(message));
      child.once("close", (code, signal) => resolve(this.#explain(code ?? String(signal))));
    });
    void this.failed.then(() => {
      for (const answer of this.#marks.splice(0)) answer(undefined);
    });
  }

  /** Resolves when every packet from then on is taken. @throws NetworkError */
  static async open(options: PacketTapOptions): Promise<PacketTap> {
    const tap = new PacketTap(options);
    // Its first mark is of itself: that it has begun.
    if ((await tap.#nextMark()) === undefined) throw new NetworkError(await tap.failed);
    return tap;
  }

  /**
   * P1. @returns how many packets the kernel had no room for since the last one; undefined when the
   *   tap has failed
   */
  mark(): Promise<number | undefined> {
    const answer = this.#nextMark();
    this.#child.stdin?.write("\n");
    return answer;
  }

  end(): void {
    this.#child.stdin?.end();
  }

  #nextMark(): Promise<number | undefined> {
    const { exitCode, signalCode } = this.#child;
    if (exitCode !== null || signalCode !== null) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      this.#marks.push(resolve);
    });
  }

  #take(chunk: Buffer): void {
    const { frames, rest } = readTapFrames(Buffer.concat([this.#rest, chunk]));
    this.#rest = rest;
    for (const frame of frames) {
      if (frame.kind === "packet") this.#onPacket(frame);
      else this.#marks.shift()?.(frame.drops);
    }
  }

  #explain(status: number | string): string {
    if (/failed to execute perl|ENOENT/.test(this.#said)) return "perl is not installed";
    return this.#said.trim().split("\n")[0] || `what takes its packets has ended (${status})`;
  }
}

/**
 * Arguments: most bytes of a packet; a filter as its numbers, or nothing; for each device
 * `WAY,NAME` and whether packets that leave it are meant. Each byte of input asks for a mark; it
 * ends with its input. What it says is in tap-frames.ts.
 *
 * Numbers are those of the kernel, which perl has no names for: packet sockets of all protocols,
 * the index of a device, a filter, room for packets (beyond what a user may ask, where that is
 * allowed), stamps, packets not taken; those that the machine sends are of kind 4.
 */
const takePackets = `
use strict; use warnings;
my ($snap, $program, @sources) = @ARGV;
my $room = 8 << 20; my $turnMax = 4096; my $markMax = 65536; my $bytesMax = 262144;
my (@taps, @taken); my $out = '';
sub failed { my ($what) = @_; die "$what: $!\\n" }
for (@sources) {
  my ($way, $device, $leaving) = split /,/;
  socket(my $socket, 17, 3, 0) or failed('packet socket');
  my $request = pack 'a16 x48', $device;
  ioctl($socket, 0x8933, $request) or failed($device);
  my $index = unpack 'x16 i', $request;
  if ($program ne '') {
    my @numbers = split / /, $program;
    my $code = pack '(S C C L)*', @numbers;
    my $filter = pack 'S x![P] P', @numbers / 4, $code;
    setsockopt($socket, 1, 26, $filter) or failed('filter');
  }
  setsockopt($socket, 1, 33, pack 'i', $room) or setsockopt($socket, 1, 8, pack 'i', $room);
  my $stamp = "\\0" x 64;
  ioctl $socket, 0x8907, $stamp;
  my $address = pack 'S n i S C C x8', 17, 3, $index, 0, 0, 0;
  bind($socket, $address) or failed("taking packets of $device");
  push @taps, { socket => $socket, way => $way, leaving => $leaving, device => $device };
}
sub take {
  my ($tap) = @_;
  my $from = recv($tap->{socket}, my $packet, $bytesMax, 0x40);
  if (!defined $from) {
    return 0 if $!{EAGAIN} || $!{EINTR};
    failed($tap->{device});
  }
  my $isLeaving = unpack('x10 C', $from) == 4 ? 1 : 0;
  return 1 if $isLeaving != $tap->{leaving};
  my $stamp = "\\0" x 64;
  ioctl($tap->{socket}, 0x8907, $stamp) or failed('stamp');
  my ($seconds, $ns) = unpack 'l! l!', $stamp;
  my $length = length $packet;
  push @taken, [$seconds, $ns, $tap->{way}, $length, substr $packet, 0, $snap];
  return 1;
}
sub turn {
  my ($max) = @_;
  my $count = 0;
  for (my $more = 1; $more && $count < $max;) {
    $more = 0;
    for my $tap (@taps) { while ($count < $max && take($tap)) { $more = 1; $count += 1 } }
  }
  for (sort { $a->[0] <=> $b->[0] || $a->[1] <=> $b->[1] } @taken) {
    my ($seconds, $ns, $way, $length, $packet) = @$_;
    $out .= pack 'L5', $way, $seconds, int($ns / 1000), length $packet, $length;
    $out .= $packet;
  }
  @taken = ();
  say_all();
}
sub say_all {
  while ($out ne '') {
    my $count = syswrite STDOUT, $out;
    defined $count or exit 0;
    substr($out, 0, $count) = '';
  }
}
sub mark {
  my $drops = 0;
  for my $tap (@taps) {
    my $counts = getsockopt($tap->{socket}, 263, 6) or failed('counts');
    $drops += (unpack 'L2', $counts)[1];
  }
  $out .= pack 'L5', 2, 0, 0, 0, $drops;
  say_all();
}
mark();
my $wanted = '';
vec($wanted, fileno($_), 1) = 1 for \\*STDIN, map { $_->{socket} } @taps;
while (1) {
  my $ready = $wanted;
  select($ready, undef, undef, undef) >= 0 or next;
  turn($turnMax);
  next unless vec $ready, fileno(STDIN), 1;
  my $count = sysread STDIN, my $asked, 64;
  exit 0 unless $count;
  turn($markMax);
  mark() for 1 .. $count;
}
`;
