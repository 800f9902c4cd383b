/*
 * exit_codes.h - what a command's exit code means, for all commands.
 */
#ifndef CLI_EXIT_CODES_H
#define CLI_EXIT_CODES_H

enum exit_code {
	EXIT_OK = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,     /* the command line or the configuration */
	EXIT_NO_DAEMON = 3, /* no daemon, or no data */
	EXIT_RESOURCES = 4, /* shared memory or disk is full */
};

#endif
