raise OSError("the weights are not there")
