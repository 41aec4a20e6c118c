"""What finds faces in photos: `Detector`, and by name dlib's HOG and RetinaFace."""
