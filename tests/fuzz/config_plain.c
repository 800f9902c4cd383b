/* config_plain.c - fuzzes the form in which the supervisor hands the configuration to its children. */
#include "base/assert.h"
#include "base/config.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char plain[64 * 1024];
	struct config config, back;
	const char *key;
	char error[256] = "";

	if (!config_read_plain(&config, (const char *)data, size, error)) {
		RH_ASSERT(strncmp(error, "configuration", 13) == 0 && memchr(error, '\0', sizeof(error)));
		return 0;
	}
	RH_ASSERT(config_check(&config, &key, error));
	size_t length = config_write_plain(&config, plain, sizeof(plain));
	RH_ASSERT(length < sizeof(plain) && config_read_plain(&back, plain, length, error));
	RH_ASSERT(memcmp(&config, &back, sizeof(back)) == 0);
	return 0;
}
