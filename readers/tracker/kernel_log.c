/* kernel_log.c - failures of disks in /dev/kmsg, see kernel_log.h. Linux: "PRIORITY,SEQUENCE,MICROSECONDS,FLAGS;TEXT", one message a read(). */
#include "readers/tracker/kernel_log.h"

#include "base/file.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MESSAGES_AT_ONCE = 256, MESSAGE_BYTES = 8192, FACILITY_SHIFT = 3 };

/* What block, SCSI, ATA, NVMe and MMC drivers say when a request fails, is given up, or a link is reset. */
static const char *const fault_texts[] = {
        "I/O error",
        "critical medium error",
        "critical target error",
        "critical nexus error",
        "transport error",
        "failed command:",
        "hard resetting link",
        "timing out command",
        "timeout, aborting",
        "timeout, reset controller",
        "controller is down",
        "Timeout waiting for hardware",
};

void kernel_log_open(struct kernel_log *log, int dirfd, const char *path)
{
	*log = (struct kernel_log){.fd = openat(dirfd, path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)};
	if (log->fd >= 0)
		lseek(log->fd, 0, SEEK_END); /* what was before us is nobody's cause */
}

void kernel_log_close(struct kernel_log *log)
{
	closefd(&log->fd);
}

static bool is_fault(const char *text)
{
	for (size_t i = 0; i < sizeof(fault_texts) / sizeof(fault_texts[0]); i++)
		if (strstr(text, fault_texts[i]))
			return true;
	return false;
}

/* One line of a message: its first has the head, those behind begin with a space and are its properties. */
static void take_line(struct kernel_log *log, const char *line, uint64_t boottime_ns)
{
	char *end;
	unsigned long priority = strtoul(line, &end, 10);
	const char *text = strchr(line, ';');

	if (!isdigit((unsigned char)*line) || *end != ',' || priority >> FACILITY_SHIFT != 0 || !text || !is_fault(text + 1))
		return;
	struct kernel_log_fault *fault = &log->faults[log->next++ % KERNEL_LOG_FAULTS];
	size_t length = strnlen(text + 1, sizeof(fault->text) - 1);
	fault->boottime_ns = boottime_ns ? boottime_ns : 1;
	memcpy(fault->text, text + 1, length);
	fault->text[length] = '\0';
}

void kernel_log_listen(struct kernel_log *log, uint64_t boottime_ns)
{
	char message[MESSAGE_BYTES];

	for (int i = 0; i < MESSAGES_AT_ONCE && log->fd >= 0; i++) {
		ssize_t length = read(log->fd, message, sizeof(message) - 1);
		if (length < 0 && (errno == EPIPE || errno == EINTR))
			continue; /* EPIPE: messages were overwritten before we got to them; the next read() goes on behind */
		if (length <= 0)
			return;
		message[length] = '\0';
		for (char *line = message, *end; *line; line = end) {
			end = line + strcspn(line, "\n");
			if (*end)
				*end++ = '\0';
			take_line(log, line, boottime_ns);
		}
	}
}

/* Does the text name the device, or a partition of it? "sda" is in "dev sda1, sector 8", "nvme0n1" in "nvme0n1p2"; neither in "sdaa" nor "nvme0n10". */
static bool names(const char *text, const char *device, size_t length)
{
	bool ends_in_digit = isdigit((unsigned char)device[length - 1]);

	for (const char *at = text; (at = strstr(at, device)) != NULL; at++) {
		unsigned char before = at > text ? (unsigned char)at[-1] : ' ', after = (unsigned char)at[length];
		if (!isalnum(before) && (ends_in_digit ? !isdigit(after) && (after == 'p' || !isalpha(after)) : !isalpha(after)))
			return true;
	}
	return false;
}

/* Of a namespace of NVMe the driver often names the controller alone: "nvme0" for "nvme0n1". */
static bool names_controller(const char *text, const char *device)
{
	char controller[16];
	size_t length = strncmp(device, "nvme", 4) == 0 ? 4 + strspn(device + 4, "0123456789") : 0;

	if (length <= 4 || length >= sizeof(controller))
		return false;
	memcpy(controller, device, length);
	controller[length] = '\0';
	return names(text, controller, length);
}

static bool is_about(const char *text, const char *device)
{
	size_t length = strlen(device);

	if (length == 0 || names(text, device, length) || names_controller(text, device))
		return true;
	return !strstr(text, "dev ") && !strstr(text, "[sd") && !strstr(text, "nvme") && !strstr(text, "mmc");
}

bool kernel_log_has_fault(const struct kernel_log *log, const char *device, uint64_t from_boottime_ns, uint64_t to_boottime_ns)
{
	for (size_t i = 0; i < KERNEL_LOG_FAULTS; i++) {
		const struct kernel_log_fault *fault = &log->faults[i];
		if (fault->boottime_ns && fault->boottime_ns >= from_boottime_ns && fault->boottime_ns <= to_boottime_ns &&
		        is_about(fault->text, device))
			return true;
	}
	return false;
}
