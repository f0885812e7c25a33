/* What a subject is linked with in the tests of `tree`, instead of the adapter and the machine: it asks for one fact. */
#include <stdio.h>
#include "lazymmu_border.h"

lz_u64 lazymmu_machine(lz_u64 what, lz_u64 a, lz_u64 b, lz_u64 c, lz_u64 d)
{
	(void)a, (void)b, (void)c, (void)d;
	printf("upcall %lu\n", what);
	return 0;
}

/* The thunks of powerpc64 and sparc64 call it; no signal comes here. */
void lazymmu_signalled(int signal, void *info, void *context)
{
	(void)signal, (void)info, (void)context;
}

int lazymmu_main(int argc, char **argv)
{
	(void)argc, (void)argv;
	printf("border %lu\n", lazymmu_enter(LZ_ENTRY_FACT, LZ_FACT_BORDER, 0, 0, 0));
	return 0;
}
