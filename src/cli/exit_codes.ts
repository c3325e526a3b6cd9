/** An executor cannot be reached or was lost, as of ssh(1). */
export const OUT_OF_REACH = 255;
