/*
 * status.h - `rogue-hunter status`: health in one look.
 */
#ifndef READERS_STATUS_STATUS_H
#define READERS_STATUS_STATUS_H

/* Returns 0 running, 1 failure, 2 usage, 3 not running. */
int status_main(int argc, char **argv);

#endif
