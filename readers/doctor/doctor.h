/*
 * doctor.h - `rogue-hunter doctor`: what this machine lets rogue-hunter see, and what is missing.
 */
#ifndef READERS_DOCTOR_DOCTOR_H
#define READERS_DOCTOR_DOCTOR_H

/* Returns 0 if the report could be made, 1 failure, 2 usage. */
int doctor_main(int argc, char **argv);

#endif
