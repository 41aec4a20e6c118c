"""What is searched with: one picture, several, a clip, and the words of witnesses."""
