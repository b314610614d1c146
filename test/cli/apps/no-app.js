export const nothing = 1;
export const little = 2;
