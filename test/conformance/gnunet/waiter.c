// SPDX-License-Identifier: MIT
// A peer process that waits at barriers with Debian's libgnunettestbed, unchanged.
//
//   waiter NAME [COUNT]    waits COUNT times (1) at barrier NAME, each on a connection of its own
//   waiter --cancel NAME   waits, and gives up when standard input ends
//
// Prints one line each: `waiting` when all waits are asked for, `result STATUS` for each callback,
// `null` for a wait that the library refused. Exits 0 when every callback said GNUNET_OK (1), 1 when
// one did not, 2 when the library refused.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <gnunet/gnunet_util_lib.h>
#include <gnunet/gnunet_testbed_service.h>

static struct GNUNET_TESTBED_BarrierWaitHandle *handle;
static const char *name;
static unsigned int count = 1;
static unsigned int open_waits;
static int gives_up;
static int failed;

static void say(const char *line, int value, int has_value)
{
  if (has_value) printf("%s %d\n", line, value);
  else printf("%s\n", line);
  fflush(stdout);
}

static void on_result(void *cls, const char *barrier, int status)
{
  (void) cls;
  (void) barrier;
  say("result", status, 1);
  handle = NULL;
  if (status != GNUNET_OK) failed = 1;
  if (--open_waits == 0) GNUNET_SCHEDULER_shutdown();
}

static void on_input(void *cls)
{
  (void) cls;
  if (handle != NULL) GNUNET_TESTBED_barrier_wait_cancel(handle);
  handle = NULL;
  say("cancelled", 0, 0);
  GNUNET_SCHEDULER_shutdown();
}

static void run(void *cls)
{
  (void) cls;
  for (unsigned int i = 0; i < count; i++) {
    handle = GNUNET_TESTBED_barrier_wait(name, &on_result, NULL);
    if (handle == NULL) {
      say("null", 0, 0);
      failed = 2;
      GNUNET_SCHEDULER_shutdown();
      return;
    }
    open_waits++;
  }
  if (gives_up)
    GNUNET_SCHEDULER_add_read_file(GNUNET_TIME_UNIT_FOREVER_REL,
                                   GNUNET_DISK_get_handle_from_native(stdin), &on_input, NULL);
  say("waiting", 0, 0);
}

int main(int argc, char **argv)
{
  if (argc == 3 && strcmp(argv[1], "--cancel") == 0) {
    gives_up = 1;
    name = argv[2];
  } else if (argc == 2 || argc == 3) {
    name = argv[1];
    if (argc == 3) count = (unsigned int) atoi(argv[2]);
  } else {
    return 64;
  }
  GNUNET_log_setup("waiter", "ERROR", NULL);
  GNUNET_SCHEDULER_run(&run, NULL);
  return failed;
}
