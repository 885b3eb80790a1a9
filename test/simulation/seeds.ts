/** How many seeds continuous integration runs: meant to take less than two minutes of one processor. The planted bugs must be found within as many. */
export const seeds = 200
