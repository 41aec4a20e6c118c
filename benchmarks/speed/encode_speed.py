"""Images a second: `index` end to end and its parts, beside dlib's own C++ pipeline on the same photos.

    python -m benchmarks.speed.encode_speed PHOTOS [--model NAME]

"On one core" is images per second of CPU time, so that what else the machine does counts little; scaling over workers
is wall time, and only worth reading from a machine that is idle (the load is told). Every pipeline decodes the photos.
"""

if __name__ == "__main__":
    # Not above: every process that finds faces imports this file, and would spend a second and a half on torch.
    from benchmarks.speed.encode_rates import main

    main()
