/*
 * config_command.h - `rogue-hunter config`: what is configured, whether it is right, and where it stands.
 */
#ifndef CLI_CONFIG_COMMAND_H
#define CLI_CONFIG_COMMAND_H

/* Returns 0, 1 where the output cannot be written, 2 for a bad command line or configuration. */
int config_main(int argc, char **argv);

#endif
