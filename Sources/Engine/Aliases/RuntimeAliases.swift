// Names that the runtime shares with the API's model. The runtime's module and its main class have
// one name, so a qualified name would not find them.
import ContainerRuntime

typealias RuntimeTerminalSize = TerminalSize
