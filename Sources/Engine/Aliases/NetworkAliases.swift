// Names that the node's networks share with the API's model.
import NodeNetwork

typealias PublishedPort = PortBinding
