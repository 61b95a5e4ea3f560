// SPDX-License-Identifier: MIT
// A driver that uses Debian's libgnunettestbed, unchanged. Obeys lines of standard input:
//
//   driver CONFIG
//     init NAME QUORUM    barrier_init; `null` when the library refuses at once
//     cancel NAME         barrier_cancel
//     peer                peer_create; destroy: the last one made; start: likewise
//     information, change, shutdown
//                         peer_get_information, peer_update_configuration: of the last one made;
//                         shutdown_peers. What is for peers that run ends the process: none does
//     host, link, slave   register_host, controller_link, get_slave_config: of another host
//     quit                ends; so does the end of input
//
// Prints one line each: `status NAME STATUS [TEXT]` (1 initialised, 2 crossed, -1 error), and for the
// rest `WORD ok` or `WORD TEXT`: `peer`, `started`, `destroyed`, `information`, `shutdown`, `host`,
// and `operation` for what is told as an event. The library itself ends the process when the connection to the controller ends; `bye` says that it ended in order.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <gnunet/gnunet_util_lib.h>
#include <gnunet/gnunet_testbed_service.h>

struct Barrier
{
  struct GNUNET_TESTBED_Barrier *handle;
  char *name;
  struct Barrier *next;
};

static struct Barrier *barriers;
static struct GNUNET_CONFIGURATION_Handle *config;
static struct GNUNET_TESTBED_Host *host;
static struct GNUNET_TESTBED_Controller *controller;
static struct GNUNET_TESTBED_Peer *peer;
static struct GNUNET_TESTBED_Host *other;
static int is_destroying;
static struct GNUNET_TESTBED_Operation *operation;
static const struct GNUNET_DISK_FileHandle *input;
/* NULL when no more orders are read. */
static struct GNUNET_SCHEDULER_Task *reading;
static int is_over;

static void say(const char *what, const char *text)
{
  printf("%s %s\n", what, text == NULL ? "ok" : text);
  fflush(stdout);
}

static void on_status(void *cls, const char *name, struct GNUNET_TESTBED_Barrier *barrier,
                      enum GNUNET_TESTBED_BarrierStatus status, const char *text)
{
  struct Barrier *row = cls;
  (void) barrier;
  printf("status %s %d%s%s\n", name, (int) status, text == NULL ? "" : " ",
         text == NULL ? "" : text);
  fflush(stdout);
  if (status != GNUNET_TESTBED_BARRIERSTATUS_INITIALISED) row->handle = NULL;
}

static void on_peer(void *cls, struct GNUNET_TESTBED_Peer *made, const char *text)
{
  (void) cls;
  if (made != NULL) peer = made;
  say("peer", text);
}

static void on_started(void *cls, const char *text)
{
  (void) cls;
  say("started", text);
}

static void on_finished(void *cls, const struct GNUNET_TESTBED_EventInformation *event)
{
  (void) cls;
  if (event->type != GNUNET_TESTBED_ET_OPERATION_FINISHED) return;
  say(is_destroying ? "destroyed" : "operation", event->details.operation_finished.emsg);
  is_destroying = 0;
}

static void on_done(void *cls, struct GNUNET_TESTBED_Operation *done, const char *text)
{
  (void) done;
  say(cls, text);
}

static void on_information(void *cls, struct GNUNET_TESTBED_Operation *done,
                           const struct GNUNET_TESTBED_PeerInformation *found, const char *text)
{
  (void) cls;
  (void) done;
  (void) found;
  say("information", text);
}

static void on_host(void *cls, const char *text)
{
  (void) cls;
  say("host", text);
}

static void obey_other(const char *word)
{
  if (strcmp(word, "information") == 0)
    operation = GNUNET_TESTBED_peer_get_information(peer, GNUNET_TESTBED_PIT_IDENTITY,
                                                    &on_information, NULL);
  else if (strcmp(word, "change") == 0)
    operation = GNUNET_TESTBED_peer_update_configuration(peer, config);
  else if (strcmp(word, "shutdown") == 0)
    operation =
      GNUNET_TESTBED_shutdown_peers(controller, NULL, &on_done, (void *) "shutdown");
  else if (strcmp(word, "host") == 0) {
    other = GNUNET_TESTBED_host_create_with_id(7, "192.0.2.7", "ann", config, 22);
    GNUNET_TESTBED_register_host(controller, other, &on_host, NULL);
  }
  else if (strcmp(word, "link") == 0)
    operation = GNUNET_TESTBED_controller_link(NULL, controller, other, host, 1);
  else if (strcmp(word, "slave") == 0)
    operation = GNUNET_TESTBED_get_slave_config(NULL, controller, other);
}

static void init(const char *name, unsigned int quorum)
{
  struct Barrier *row = GNUNET_new(struct Barrier);
  row->name = GNUNET_strdup(name);
  row->next = barriers;
  barriers = row;
  row->handle = GNUNET_TESTBED_barrier_init(controller, name, quorum, &on_status, row);
  if (row->handle == NULL) say("null", name);
}

static void cancel(const char *name)
{
  for (struct Barrier *row = barriers; row != NULL; row = row->next) {
    if (row->handle == NULL || strcmp(row->name, name) != 0) continue;
    GNUNET_TESTBED_barrier_cancel(row->handle);
    row->handle = NULL;
    say("cancelled", name);
  }
}

static void obey(char *line)
{
  char *word = strtok(line, " ");
  char *name = strtok(NULL, " ");
  char *number = strtok(NULL, " ");
  if (word == NULL) return;
  if (strcmp(word, "init") == 0) init(name, (unsigned int) atoi(number));
  else if (strcmp(word, "cancel") == 0) cancel(name);
  else if (strcmp(word, "peer") == 0)
    operation = GNUNET_TESTBED_peer_create(controller, host, config, &on_peer, NULL);
  else if (strcmp(word, "start") == 0)
    operation = GNUNET_TESTBED_peer_start(NULL, peer, &on_started, NULL);
  else if (strcmp(word, "destroy") == 0) {
    is_destroying = 1;
    operation = GNUNET_TESTBED_peer_destroy(peer);
  }
  else if (strcmp(word, "quit") == 0) {
    is_over = 1;
    GNUNET_SCHEDULER_shutdown();
  }
  else obey_other(word);
}

static void on_input(void *cls)
{
  static char text[4096];
  static size_t used;
  ssize_t got = read(0, text + used, sizeof (text) - used - 1);
  (void) cls;
  reading = NULL;
  if (got <= 0) {
    GNUNET_SCHEDULER_shutdown();
    return;
  }
  used += (size_t) got;
  text[used] = '\0';
  for (char *end = strchr(text, '\n'); end != NULL; end = strchr(text, '\n')) {
    char line[4096];
    size_t length = (size_t) (end - text);
    memcpy(line, text, length);
    line[length] = '\0';
    used -= length + 1;
    memmove(text, end + 1, used + 1);
    obey(line);
  }
  if (!is_over)
    reading =
      GNUNET_SCHEDULER_add_read_file(GNUNET_TIME_UNIT_FOREVER_REL, input, &on_input, NULL);
}

static void on_end(void *cls)
{
  (void) cls;
  is_over = 1;
  if (reading != NULL) GNUNET_SCHEDULER_cancel(reading);
  reading = NULL;
  GNUNET_TESTBED_controller_disconnect(controller);
  say("bye", NULL);
}

static void run(void *cls, char *const *args, const char *file,
                const struct GNUNET_CONFIGURATION_Handle *read_config)
{
  (void) cls;
  (void) args;
  (void) file;
  config = GNUNET_CONFIGURATION_dup(read_config);
  host = GNUNET_TESTBED_host_create_with_id(0, "127.0.0.1", NULL, config, 0);
  controller = GNUNET_TESTBED_controller_connect(
    host, 1LL << GNUNET_TESTBED_ET_OPERATION_FINISHED, &on_finished, NULL);
  GNUNET_SCHEDULER_add_shutdown(&on_end, NULL);
  input = GNUNET_DISK_get_handle_from_native(stdin);
  reading = GNUNET_SCHEDULER_add_read_file(GNUNET_TIME_UNIT_FOREVER_REL, input, &on_input, NULL);
  say("connected", NULL);
}

int main(int argc, char **argv)
{
  struct GNUNET_GETOPT_CommandLineOption options[] = { GNUNET_GETOPT_OPTION_END };
  char *arguments[] = { argv[0], "-c", argc > 1 ? argv[1] : "", "-L", "ERROR", NULL };
  return GNUNET_OK == GNUNET_PROGRAM_run(5, arguments, "driver", "a driver of barriers", options,
                                         &run, NULL)
           ? 0
           : 1;
}
