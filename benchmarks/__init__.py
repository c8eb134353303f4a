"""What authentication costs a request, here and with other libraries, beside the same bare view."""
