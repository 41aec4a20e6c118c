"""Images a second of one core's time by each shipped model, beside dlib's own pipeline on the same photos.

    python -m benchmarks.speed.model_speed PHOTOS [--count 60]

Detection and alignment, the whole image side, `index` end to end without workers; every pipeline decodes the photos.
"""

if __name__ == "__main__":
    from benchmarks.speed.model_rates import main

    main()
