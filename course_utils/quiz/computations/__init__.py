"""What the banks' answers are computed by: ``shared`` for all, ``lesson_NN`` for one lesson."""
