/* config_toml.c - fuzzes reading TOML: any bytes get an answer; what is accepted keeps every rule and survives the plain form. */
#include "cli/config_toml.h"
#include "base/assert.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_accepted(const struct config *config)
{
	static char plain[64 * 1024];
	struct config back;
	const char *key;
	char error[256];

	RH_ASSERT(config_check(config, &key, error));
	size_t length = config_write_plain(config, plain, sizeof(plain));
	RH_ASSERT(length < sizeof(plain));
	RH_ASSERT(config_read_plain(&back, plain, length, error));
	RH_ASSERT(memcmp(config, &back, sizeof(back)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config config;
	struct config_fault fault;

	config_defaults(&config);
	if (config_toml_read((const char *)data, size, &config, &fault)) {
		check_accepted(&config);
		return 0;
	}
	RH_ASSERT(fault.rule[0] != '\0' && memchr(fault.rule, '\0', sizeof(fault.rule)));
	for (const char *c = fault.rule; *c; c++)
		RH_ASSERT(*c >= ' ' && *c <= '~'); /* our words, none of the file's bytes */
	return 0;
}
