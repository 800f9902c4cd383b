/* name.c - names of segments, the same for the writer and for readers. */
#include "shm/layout.h"

#include <stdio.h>
#include <string.h>

enum { INSTANCE_BYTES = 64 };

bool seg_name(const char *instance, unsigned uid, char ret_name[SEG_NAME_BYTES])
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
	size_t length;

	if (!instance) {
		snprintf(ret_name, SEG_NAME_BYTES, "/rogue-hunter.%u", uid);
		return true;
	}
	length = strnlen(instance, INSTANCE_BYTES + 1);
	if (length == 0 || length > INSTANCE_BYTES || instance[0] == '.' || strspn(instance, allowed) < length)
		return false;
	snprintf(ret_name, SEG_NAME_BYTES, "/rogue-hunter.%s", instance);
	return true;
}
