/* load.c - see load.h. */
#include "collector/bpf/load.h"

#include "base/file.h"
#include "base/log.h"

#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static char complaint[160]; /* the last one of libbpf */

/* Keeps the first line that tells what is wrong; libbpf goes on to tell what failed because of it. */
static int __attribute__((format(printf, 2, 0))) take_print(enum libbpf_print_level level, const char *format, va_list arguments)
{
	char line[512];
	if (level == LIBBPF_DEBUG)
		return 0;
	vsnprintf(line, sizeof(line), format, arguments);
	line[strcspn(line, "\n")] = '\0';
	if (line[0] == '\0')
		return 0;
	log_say(LOG_DEBUG_, "libbpf", "%s", line);
	if (complaint[0] == '\0')
		snprintf(complaint, sizeof(complaint), "%s", strncmp(line, "libbpf: ", 8) == 0 ? line + 8 : line);
	return 0;
}

void load_quietly(void)
{
	libbpf_set_print(take_print);
	complaint[0] = '\0';
}

void load_explain(const char *what, int result, char error[256])
{
	if (result == -EPERM)
		snprintf(error, 256, "%s: not permitted: CAP_BPF and CAP_PERFMON, or root, are needed", what);
	else if (complaint[0])
		snprintf(error, 256, "%s: %s (%.150s)", what, strerror(-result), complaint);
	else
		snprintf(error, 256, "%s: %s", what, strerror(-result));
	complaint[0] = '\0';
}

bool load_has_type_information(void)
{
	return access("/sys/kernel/btf/vmlinux", R_OK) == 0;
}

/* Is that capability in the effective set? */
static bool has_capability(unsigned capability)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {{0}};
	if (syscall(SYS_capget, &header, data) < 0)
		return false;
	return data[CAP_TO_INDEX(capability)].effective & CAP_TO_MASK(capability);
}

bool load_is_permitted(void)
{
	return has_capability(CAP_SYS_ADMIN) || (has_capability(CAP_BPF) && has_capability(CAP_PERFMON));
}

uint32_t load_possible_cpus(void)
{
	int cpus = libbpf_num_possible_cpus();
	return cpus > 0 ? (uint32_t)cpus : 1;
}

/* The memory of a map, as its descriptor tells it, or 0. */
static uint64_t map_bytes(int folder_fd, const char *name)
{
	static const char key[] = "\nmemlock:";
	char text[1024];
	if (file_read_at(folder_fd, name, text, sizeof(text)) <= 0 || !strstr(text, "\nmap_type:"))
		return 0;
	const char *line = strstr(text, key);
	return line ? strtoull(line + sizeof(key) - 1, NULL, 10) : 0;
}

uint32_t load_map_bytes(void)
{
	DIR *folder = opendir("/proc/self/fdinfo");
	uint64_t bytes = 0;
	if (!folder)
		return 0;
	for (const struct dirent *entry = readdir(folder); entry; entry = readdir(folder))
		if (entry->d_name[0] != '.')
			bytes += map_bytes(dirfd(folder), entry->d_name);
	closedir(folder);
	return bytes > UINT32_MAX ? UINT32_MAX : (uint32_t)bytes;
}

bool load_has_tracepoint(const struct btf *types, const char *name)
{
	char type[96];
	snprintf(type, sizeof(type), "btf_trace_%s", name);
	return btf__find_by_name_kind(types, type, BTF_KIND_TYPEDEF) > 0;
}

unsigned load_tracepoint_arguments(const struct btf *types, const char *name)
{
	char type_name[96];
	snprintf(type_name, sizeof(type_name), "btf_trace_%s", name);
	int id = btf__find_by_name_kind(types, type_name, BTF_KIND_TYPEDEF);
	const struct btf_type *type = id > 0 ? btf__type_by_id(types, (uint32_t)id) : NULL;
	if (type)
		type = btf__type_by_id(types, type->type); /* a pointer */
	if (type && btf_is_ptr(type))
		type = btf__type_by_id(types, type->type);
	return type && btf_is_func_proto(type) ? btf_vlen(type) : 0;
}
