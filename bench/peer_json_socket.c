/*
 * peer_json_socket.c - newline JSON over a unix socket: the writer serialises each sample once and sends it to every client, each
 * client parses it. With jansson on both sides, compact, names from the tables; absent fields are left out.
 */
#include "bench/peer.h"
#include "rogue/tables.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct server {
	int listening, clients;
	int fds[PEER_CLIENTS_MOST];
	char path[108];
};

static struct sockaddr_un address_of(const char *name)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	/* In the abstract namespace: nothing is left behind. */
	snprintf(address.sun_path + 1, sizeof(address.sun_path) - 1, "%s", name);
	return address;
}

static void *server_open(const char *name)
{
	struct server *server = calloc(1, sizeof(*server));
	struct sockaddr_un address = address_of(name);

	if (!server)
		peer_die("calloc");
	server->listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (server->listening < 0 || bind(server->listening, (struct sockaddr *)&address, sizeof(address)) != 0 ||
	        listen(server->listening, PEER_CLIENTS_MOST) != 0)
		peer_die("listening on a unix socket");
	return server;
}

static void server_accept(void *handle, int clients)
{
	struct server *server = handle;

	for (server->clients = 0; server->clients < clients; server->clients++) {
		int fd = accept(server->listening, NULL, NULL);

		if (fd < 0)
			peer_die("accept");
		server->fds[server->clients] = fd;
	}
}

static json_t *value_of(const struct rh_row *row, const unsigned char *record)
{
	switch (row->type) {
#define INTEGER(type_, ctype) \
	case RH_TYPE_##type_: { \
		ctype value; \
		memcpy(&value, record + row->offset, sizeof(value)); \
		return json_integer((json_int_t)value); \
	}
		INTEGER(u8, uint8_t)
		INTEGER(u16, uint16_t)
		INTEGER(u32, uint32_t)
		INTEGER(u64, uint64_t)
		INTEGER(i8, int8_t)
		INTEGER(i16, int16_t)
		INTEGER(i32, int32_t)
#undef INTEGER
	case RH_TYPE_f32: {
		float value;
		memcpy(&value, record + row->offset, sizeof(value));
		return json_real((double)value);
	}
	default:
		return json_stringn((const char *)record + row->offset, strnlen((const char *)record + row->offset, row->size));
	}
}

static json_t *object_of(const struct rh_process *record)
{
	json_t *object = json_object();

	for (size_t i = 0; i < RH_PROCESS_ROWS; i++)
		if (rh_has(record->present, rh_process_rows[i].id))
			json_object_set_new_nocheck(
			        object, rh_process_rows[i].name, value_of(&rh_process_rows[i], (const unsigned char *)record));
	return object;
}

static void write_all(int fd, const char *bytes, size_t size)
{
	while (size > 0) {
		ssize_t written = send(fd, bytes, size, MSG_NOSIGNAL);

		if (written <= 0)
			peer_die("send");
		bytes += written;
		size -= (size_t)written;
	}
}

static void server_send(void *handle, const struct rh_process *records, uint32_t count)
{
	struct server *server = handle;
	json_t *sample = json_object(), *processes = json_array();

	for (uint32_t i = 0; i < count; i++)
		json_array_append_new(processes, object_of(&records[i]));
	json_object_set_new(sample, "processes", processes);
	char *text = json_dumps(sample, JSON_COMPACT | JSON_REAL_PRECISION(7));
	if (!text)
		peer_die("json_dumps");
	size_t size = strlen(text);
	text[size] = '\n'; /* in place of the NUL: the size is known */
	for (int i = 0; i < server->clients; i++)
		write_all(server->fds[i], text, size + 1);
	free(text);
	json_decref(sample);
}

static void server_close(void *handle)
{
	struct server *server = handle;

	for (int i = 0; i < server->clients; i++)
		close(server->fds[i]);
	close(server->listening);
	free(server);
}

/* Looks at every record and takes the top 20, which come first. */
static void take(const char *line, size_t size)
{
	json_t *sample = json_loadb(line, size, 0, NULL), *processes = json_object_get(sample, "processes"), *process;
	struct rh_process top[PEER_TOP];
	volatile double sum = 0;
	size_t i;

	if (!json_is_array(processes))
		peer_die("parsing a sample");
	json_array_foreach(processes, i, process)
	{
		sum = sum + json_real_value(json_object_get(process, "cpu_pct"));
		if (i < PEER_TOP) {
			top[i].pid = (uint32_t)json_integer_value(json_object_get(process, "pid"));
			top[i].score = (float)json_real_value(json_object_get(process, "score"));
			snprintf(top[i].command, sizeof(top[i].command), "%s", json_string_value(json_object_get(process, "command")));
		}
	}
	sum = sum + (double)top[0].score;
	json_decref(sample);
}

static void client_run(const char *name, int client, int samples, struct peer_shared *shared)
{
	struct sockaddr_un address = address_of(name);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	size_t room = 16 << 20, used = 0;
	char *buffer = malloc(room);

	if (!buffer || fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
		peer_die("connect");
	atomic_fetch_add(&shared->attached, 1);
	for (int i = 0; i < samples;) {
		ssize_t got = recv(fd, buffer + used, room - used, 0);
		char *end;

		if (got <= 0)
			peer_die("recv");
		end = memchr(buffer + used, '\n', (size_t)got);
		used += (size_t)got;
		if (!end)
			continue;
		take(buffer, (size_t)(end - buffer));
		peer_done(shared, client, i++);
		used = 0; /* the writer waits for all clients before it sends the next line */
	}
	close(fd);
	free(buffer);
}

const struct peer peer_json_socket = {"newline JSON over a unix socket", server_open, server_accept, server_send, server_close, client_run};
