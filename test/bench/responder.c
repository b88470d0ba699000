/*
 * A responder that does a server's I/O over UDP and nothing else, in C: what a program of a user's own
 * would cost at least. Started with the sizes of the answers, it prints a port of 127.0.0.1 for each.
 * Each port has a thread, which takes up to 64 datagrams with one call and answers them with another.
 *
 * An answer is the request as it came, with whatever lies behind it up to the size.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BATCH = 64, SLOT = 2048 };

struct port {
  int socket;
  size_t answer;
  struct mmsghdr messages[BATCH];
  struct iovec pieces[BATCH];
  struct sockaddr_in sources[BATCH];
  uint8_t slots[BATCH][SLOT];
};

static void *respond(void *argument) {
  struct port *port = argument;
  for (int i = 0; i < BATCH; i++) {
    port->pieces[i] = (struct iovec){ port->slots[i], SLOT };
    port->messages[i].msg_hdr = (struct msghdr){
      .msg_name = &port->sources[i],
      .msg_namelen = sizeof port->sources[i],
      .msg_iov = &port->pieces[i],
      .msg_iovlen = 1,
    };
  }
  int count;
  while ((count = recvmmsg(port->socket, port->messages, BATCH, MSG_WAITFORONE, NULL)) > 0) {
    for (int i = 0; i < count; i++) port->pieces[i].iov_len = port->answer;
    for (int sent = 0; sent < count;) {
      int now = sendmmsg(port->socket, port->messages + sent, count - sent, 0);
      /* One that the system doesn't take is lost, as it would be on the way. */
      sent += now > 0 ? now : 1;
    }
    for (int i = 0; i < count; i++) port->pieces[i].iov_len = SLOT;
  }
  perror("recvmmsg");
  exit(1);
}

int main(int count, char **arguments) {
  for (int i = 1; i < count; i++) {
    struct port *port = calloc(1, sizeof *port);
    struct sockaddr_in own = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    socklen_t size = sizeof own;
    pthread_t thread;
    if (port == NULL || (port->answer = strtoul(arguments[i], NULL, 10)) > SLOT) return 1;
    port->socket = socket(AF_INET, SOCK_DGRAM, 0);
    if (bind(port->socket, (struct sockaddr *)&own, size) != 0) return 1;
    if (getsockname(port->socket, (struct sockaddr *)&own, &size) != 0) return 1;
    if (pthread_create(&thread, NULL, respond, port) != 0) return 1;
    printf("%s %d", i == 1 ? "ready" : "", ntohs(own.sin_port));
  }
  printf("\n");
  fflush(stdout);
  pause();
}
