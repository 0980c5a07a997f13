/*
 * Open-loop load of a constant rate over HTTP/1.1 on loopback: paced PORT RATE WARM_UP_SECONDS SECONDS DRAIN_SECONDS
 * REQUESTS_FILE prints one line of JSON. The file has one `PATH TOKEN` a line; they are asked for in turn.
 *
 * Request n is due at start + n / RATE, whether or not earlier answers have come, and its latency counts from then: a
 * server that stalls cannot hide it by slowing its clients down (coordinated omission). What is due while every
 * connection waits for an answer queues here, with its time. What was never answered counts with its age.
 * A connection that the server closes while it is idle is opened anew; a request that was on its way into it is sent again
 * (RFC 9112 §9.3.1), its time unchanged.
 * A program of its own, in C: neither a collector nor an event loop holds up its clock. sentLateP99Ms says how late it
 * wrote requests that had a free connection, which is the share of the machine in the figures.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { CONNECTIONS = 256, ANSWER_BYTES = 65536, EVENTS = 64 };

typedef struct {
  int fd;
  int64_t due;
  const char *request;
  int reused;
  size_t received;
  char answer[ANSWER_BYTES + 1];
} Lane;

static Lane lanes[CONNECTIONS];
static int idle[CONNECTIONS], idle_count, epoll, port;
static char **requests;
static size_t request_count;
static int64_t start, freed_at, count_from, deadline, interval_ns, total, sent, answered, failed;
/* Nanoseconds of each counted request, and how late it was written. */
static int64_t *latencies, *lateness;
static size_t latency_count, lateness_count;

static void die(const char *what) {
  fprintf(stderr, "paced: %s: %s\n", what, strerror(errno));
  exit(1);
}

static int64_t now(void) {
  struct timespec at;
  clock_gettime(CLOCK_MONOTONIC, &at);
  return (int64_t)at.tv_sec * 1000000000 + at.tv_nsec;
}

static int64_t due_of(int64_t n) { return start + n * interval_ns; }

static void read_requests(const char *file, const char *host_port) {
  FILE *lines = fopen(file, "r");
  char *line = NULL;
  size_t room = 0;
  if (lines == NULL) die(file);
  while (getline(&line, &room, lines) > 0) {
    char *path = strtok(line, " \n"), *token = strtok(NULL, " \n");
    if (path == NULL || token == NULL) continue;
    requests = realloc(requests, (request_count + 1) * sizeof *requests);
    if (requests == NULL) die("realloc");
    if (asprintf(&requests[request_count++], "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%s\r\nAuthorization: Bearer %s\r\n\r\n",
                 path, host_port, token) < 0)
      die("asprintf");
  }
  if (request_count == 0) die("no requests");
  free(line);
  fclose(lines);
}

static void open_lane(int at) {
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  struct epoll_event event = {.events = EPOLLIN, .data.u32 = at};
  int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
  if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) < 0) die("connect");
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0) die("epoll");
  lanes[at].fd = fd;
  lanes[at].reused = 0;
}

static void reopen_lane(int at) {
  close(lanes[at].fd);
  open_lane(at);
}

static void write_request(int at) {
  Lane *lane = &lanes[at];
  size_t length = strlen(lane->request);
  ssize_t written = write(lane->fd, lane->request, length);
  if (written < 0 && lane->reused && (errno == EPIPE || errno == ECONNRESET)) {
    reopen_lane(at);
    written = write(lane->fd, lane->request, length);
  }
  if (written != (ssize_t)length) die("write");
}

/* Writes what is due while a connection is free; the rest waits, its time unchanged. */
static void send_due(int64_t at) {
  while (sent < total && due_of(sent) <= at && idle_count > 0) {
    int free = idle[--idle_count];
    Lane *lane = &lanes[free];
    lane->request = requests[sent % request_count];
    lane->due = due_of(sent++);
    lane->received = 0;
    write_request(free);
    if (lane->due >= count_from && lane->due >= freed_at) lateness[lateness_count++] = now() - lane->due;
  }
}

/* Whether the whole answer is there: head and Content-Length, or the last chunk. */
static int complete(Lane *lane) {
  char *length, *end;
  lane->answer[lane->received] = 0;
  end = strstr(lane->answer, "\r\n\r\n");
  if (end == NULL) return 0;
  length = strcasestr(lane->answer, "\r\ncontent-length:");
  if (length != NULL && length < end)
    return lane->received >= (size_t)(end + 4 - lane->answer) + strtoul(length + 17, NULL, 10);
  return lane->received >= 5 && memcmp(lane->answer + lane->received - 5, "0\r\n\r\n", 5) == 0;
}

static void receive(int at) {
  Lane *lane = &lanes[at];
  ssize_t got = read(lane->fd, lane->answer + lane->received, ANSWER_BYTES - lane->received);
  if (got < 0 && errno == EAGAIN) return;
  if (got <= 0) {
    errno = got == 0 ? ECONNRESET : errno;
    if (lane->due != 0 && (lane->received > 0 || !lane->reused)) die("a connection ended");
    reopen_lane(at);
    if (lane->due != 0) write_request(at);
    return;
  }
  lane->received += got;
  if (!complete(lane)) return;
  answered++;
  if (strncmp(lane->answer, "HTTP/1.1 200", 12) != 0) failed++;
  else if (lane->due >= count_from) latencies[latency_count++] = now() - lane->due;
  lane->due = 0;
  lane->reused = 1;
  if (idle_count == 0) freed_at = now();
  idle[idle_count++] = at;
}

static int ascending(const void *one, const void *other) {
  int64_t a = *(const int64_t *)one, b = *(const int64_t *)other;
  return (a > b) - (a < b);
}

static double quantile_ms(int64_t *sorted, size_t count, double share) {
  size_t at = count * share;
  return count == 0 ? 0 : sorted[at < count ? at : count - 1] / 1e6;
}

static void run(int timer) {
  struct epoll_event events[EVENTS];
  while (answered < total && now() < deadline) {
    /* With every connection taken there is nothing to wake up for but answers. */
    int64_t next = sent < total && idle_count > 0 ? due_of(sent) : deadline;
    struct itimerspec at = {.it_value = {.tv_sec = next / 1000000000, .tv_nsec = next % 1000000000}};
    timerfd_settime(timer, TFD_TIMER_ABSTIME, &at, NULL);
    int ready = epoll_wait(epoll, events, EVENTS, -1);
    for (int i = 0; i < ready; i++)
      if (events[i].data.u32 < CONNECTIONS) receive(events[i].data.u32);
    send_due(now());
  }
}

int main(int argc, char **argv) {
  if (argc != 7) return fprintf(stderr, "usage: paced PORT RATE WARM_UP_SECONDS SECONDS DRAIN_SECONDS REQUESTS_FILE\n"), 2;
  int64_t rate = atoll(argv[2]), warm_up = atoll(argv[3]), seconds = atoll(argv[4]);
  int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
  struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.u32 = CONNECTIONS};
  epoll = epoll_create1(0);
  port = atoi(argv[1]);
  signal(SIGPIPE, SIG_IGN);
  if (rate <= 0 || epoll < 0 || timer < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, timer, &event) < 0) die("start");
  read_requests(argv[6], argv[1]);
  for (int at = 0; at < CONNECTIONS; at++) {
    open_lane(at);
    idle[idle_count++] = at;
  }
  total = rate * (warm_up + seconds);
  interval_ns = 1000000000 / rate;
  latencies = malloc(total * sizeof *latencies);
  lateness = malloc(total * sizeof *lateness);
  if (latencies == NULL || lateness == NULL) die("malloc");
  start = now() + 100000000;
  count_from = start + warm_up * 1000000000;
  deadline = due_of(total) + atoll(argv[5]) * 1000000000;
  run(timer);
  int64_t end = now();
  for (int at = 0; at < CONNECTIONS; at++)
    if (lanes[at].due >= count_from) latencies[latency_count++] = end - lanes[at].due;
  for (; sent < total; sent++)
    if (due_of(sent) >= count_from) latencies[latency_count++] = end - due_of(sent);
  qsort(latencies, latency_count, sizeof *latencies, ascending);
  qsort(lateness, lateness_count, sizeof *lateness, ascending);
  printf("{\"requests\":%zu,\"failed\":%lld,\"unanswered\":%lld,\"p50Ms\":%.3f,\"p99Ms\":%.3f,\"maxMs\":%.3f,\"sentLateP99Ms\":%.3f}\n",
         latency_count, (long long)failed, (long long)(total - answered), quantile_ms(latencies, latency_count, 0.5),
         quantile_ms(latencies, latency_count, 0.99), quantile_ms(latencies, latency_count, 1),
         quantile_ms(lateness, lateness_count, 0.99));
  return 0;
}
